package defenderbeatprocessor

import (
	"context"

	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	scopeName    = "github.com/defenderbeat/defenderbeat/host/examples/otel"
	metricPrefix = "otelcol_processor_defenderbeat_"
)

// telemetry is the processor's own metrics.
type telemetry struct {
	processor attribute.KeyValue
	records   metric.Int64Counter
	documents metric.Int64Counter
	rejects   metric.Int64Counter
	traps     metric.Int64Counter
	empty     metric.Int64Counter
}

func newTelemetry(settings processor.Settings) (*telemetry, error) {
	made := &telemetry{processor: attribute.String("processor", settings.ID.String())}
	meter := settings.MeterProvider.Meter(scopeName)
	for _, counter := range []struct {
		to                      *metric.Int64Counter
		name, description, unit string
	}{
		{&made.records, "records", "Records of payloads by what became of them: mapped, held, dropped or rejected.", "{records}"},
		{&made.documents, "documents", "Documents made.", "{documents}"},
		{&made.rejects, "rejects", "Records that cannot be mapped, by code.", "{records}"},
		{&made.traps, "traps", "Payloads at which the component was ended.", "{payloads}"},
		{&made.empty, "empty", "Log records without any record in them.", "{payloads}"},
	} {
		var err error
		*counter.to, err = meter.Int64Counter(metricPrefix+counter.name,
			metric.WithDescription(counter.description), metric.WithUnit(counter.unit))
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

// count takes what became of a payload.
func (t *telemetry) count(ctx context.Context, outcome outcome) {
	add := func(counter metric.Int64Counter, count int, attributes ...attribute.KeyValue) {
		if count > 0 {
			counter.Add(ctx, int64(count), metric.WithAttributes(append(attributes, t.processor)...))
		}
	}
	tally := outcome.tally
	for _, fate := range []struct {
		name  string
		count uint32
	}{{"mapped", tally.Mapped}, {"held", tally.Held}, {"dropped", tally.Dropped}, {"rejected", tally.Rejected}} {
		add(t.records, int(fate.count), attribute.String("outcome", fate.name))
	}
	add(t.documents, len(outcome.documents))
	for _, reject := range outcome.rejects {
		add(t.rejects, 1, attribute.String("code", reject.code))
	}
	if outcome.trapped {
		add(t.traps, 1)
	}
	if tally.Records == 0 {
		add(t.empty, 1)
	}
}
