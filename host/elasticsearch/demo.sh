#!/usr/bin/env bash
# What `make demo` runs between a simulated tenant and an Elasticsearch, both of which are in the environment: sets the data streams
# up, collects once, and shows what arrived.
set -euo pipefail
defenderbeat=$1

# The collector's inputs are those of `make run`; only the output is another.
configuration=(-c host/simulator/defenderbeat.yml -E path.data=target/demo -E output.console=null
	-E 'output.elasticsearch={hosts: ["${ELASTICSEARCH_URL}"], username: "${ELASTICSEARCH_USER}", password: "${ELASTICSEARCH_PASSWORD}"}')

# The password travels by a pipe: process lists show arguments.
ask() {
	curl --silent --show-error --fail \
		--config <(printf 'user = "%s:%s"\n' "$ELASTICSEARCH_ADMIN_USER" "$ELASTICSEARCH_ADMIN_PASSWORD") \
		"$@"
}

ELASTICSEARCH_USER=$ELASTICSEARCH_ADMIN_USER ELASTICSEARCH_PASSWORD=$ELASTICSEARCH_ADMIN_PASSWORD \
	"$defenderbeat" setup "${configuration[@]}"
"$defenderbeat" run "${configuration[@]}" --once

for dataset in alert incident event vulnerability; do
	stream=$ELASTICSEARCH_URL/logs-m365_defender.$dataset-default
	# A search sees what was written before the last refresh.
	ask --request POST --output /dev/null "$stream/_refresh"
	printf '\n== %s: %s\n' "$stream" "$(ask "$stream/_count?filter_path=count")"
	ask "$stream/_search?size=1&filter_path=hits.hits&pretty"
done
