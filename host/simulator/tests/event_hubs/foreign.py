# Reads and writes all that a client can, and prints what it found as one JSON object.
import json
import os
import sys
import threading

from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient

CONNECTION = os.environ["CONNECTION_STRING"]
HUB = "defender"
# A client that waits for what does not come is ended.
watchdog = threading.Timer(120, lambda: os._exit(3))
watchdog.daemon = True
watchdog.start()


def consumer(group="$Default", connection=CONNECTION, **options):
    return EventHubConsumerClient.from_connection_string(
        connection, consumer_group=group, eventhub_name=HUB, retry_total=0, **options
    )


def receive_all(expected, **options):
    """The messages of each partition, until there are as many as expected."""
    received = {}
    left = [sum(expected.values())]
    client = consumer()

    def on_event(partition, event):
        received.setdefault(partition.partition_id, []).append(event)
        left[0] -= 1
        if left[0] == 0:
            client.close()

    client.receive(on_event=on_event, **options)
    return received


def condition(action):
    """What an error is called on the wire, or else its type."""
    try:
        action()
    except Exception as error:
        while error is not None:
            name = getattr(error, "condition", None)
            if name is not None:
                name = getattr(name, "value", name)
                return name.decode() if isinstance(name, bytes) else name
            if error.__cause__ is None and error.__context__ is None:
                return type(error).__name__
            error = error.__cause__ or error.__context__
    return None


answer = {}
producer = EventHubProducerClient.from_connection_string(CONNECTION, eventhub_name=HUB)
with producer:
    answer["partitions"] = producer.get_partition_ids()
    batch = producer.create_batch(partition_id="1")
    for number in range(2):
        batch.add(EventData(f"sent {number}"))
    producer.send_batch(batch)
    batch = producer.create_batch(partition_key="a key")
    batch.add(EventData("keyed"))
    producer.send_batch(batch)
    facts = {name: producer.get_partition_properties(name) for name in answer["partitions"]}
answer["last"] = {name: fact["last_enqueued_sequence_number"] for name, fact in facts.items()}

received = receive_all({name: last + 1 for name, last in answer["last"].items()}, starting_position="-1")
answer["received"] = {
    name: [
        {
            "sequence": event.sequence_number,
            "offset": event.offset,
            "enqueued": event.enqueued_time.timestamp(),
            "key": event.partition_key.decode() if event.partition_key else None,
            "body": event.body_as_str(),
        }
        for event in events
    ]
    for name, events in received.items()
}
resumed = receive_all(answer["last"], starting_position={name: events[0].offset for name, events in received.items()})
answer["resumed"] = {name: len(events) for name, events in resumed.items()}


def receive_one(client, **options):
    """Receives until an event comes or an error ends it; raises the error."""
    failed = []

    def on_error(partition, error):
        failed.append(error)
        client.close()

    client.receive(
        on_event=lambda partition, event: client.close(),
        on_error=on_error,
        partition_id="0",
        starting_position="-1",
        **options,
    )
    if failed:
        raise failed[0]


answer["unknown_group"] = condition(lambda: receive_one(consumer(group="unknown")))
wrong_key = CONNECTION.replace("SharedAccessKey=", "SharedAccessKey=wrong")
try:
    consumer(connection=wrong_key).get_partition_ids()
except Exception as error:
    answer["wrong_key"] = type(error).__name__

first, second = consumer(), consumer()
begun = threading.Event()


def steal():
    begun.wait()
    receive_one(second, owner_level=2)


thread = threading.Thread(target=steal)
thread.start()
stolen = []


def lose(partition, error):
    stolen.append(error)
    first.close()


first.receive(
    on_event=lambda partition, event: begun.set(),
    on_error=lose,
    partition_id="0",
    starting_position="-1",
    owner_level=1,
)
thread.join()


def raise_stolen():
    raise stolen[0]


answer["stolen"] = condition(raise_stolen)
json.dump(answer, sys.stdout)
