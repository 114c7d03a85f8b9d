// Reads an event hub with Microsoft's library for Go and prints the partition and the sequence number of each event.
// It shares partitions and keeps checkpoints in a container, in the library's own form.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2/checkpoints"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// The settings come from the environment, because they hold keys.
func main() {
	count, err := strconv.Atoi(os.Getenv("COUNT"))
	check(err)
	client, err := azeventhubs.NewConsumerClientFromConnectionString(
		os.Getenv("CONNECTION"), os.Getenv("EVENTHUB"), azeventhubs.DefaultConsumerGroup,
		&azeventhubs.ConsumerClientOptions{CustomEndpoint: os.Getenv("ENDPOINT")})
	check(err)
	storage, err := container.NewClientFromConnectionString(os.Getenv("STORAGE"), os.Getenv("CONTAINER"), nil)
	check(err)
	store, err := checkpoints.NewBlobStore(storage, nil)
	check(err)
	earliest := true
	processor, err := azeventhubs.NewProcessor(client, store, &azeventhubs.ProcessorOptions{
		LoadBalancingStrategy:       azeventhubs.ProcessorStrategyGreedy,
		UpdateInterval:              500 * time.Millisecond,
		PartitionExpirationDuration: 2 * time.Second,
		StartPositions: azeventhubs.StartPositions{
			Default: azeventhubs.StartPosition{Earliest: &earliest},
		},
	})
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var mutex sync.Mutex
	go func() {
		for {
			partition := processor.NextPartitionClient(ctx)
			if partition == nil {
				return
			}
			go func() {
				defer partition.Close(context.Background())
				for ctx.Err() == nil {
					wait, done := context.WithTimeout(ctx, 200*time.Millisecond)
					events, err := partition.ReceiveEvents(wait, 100, nil)
					done()
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						return
					}
					for _, event := range events {
						check(partition.UpdateCheckpoint(context.Background(), event, nil))
						mutex.Lock()
						fmt.Println(partition.PartitionID(), event.SequenceNumber)
						count--
						if count == 0 {
							cancel()
						}
						mutex.Unlock()
					}
				}
			}()
		}
	}()
	if err := processor.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		check(err)
	}
	mutex.Lock()
	defer mutex.Unlock()
	if count > 0 {
		log.Fatalf("%d events did not come", count)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
