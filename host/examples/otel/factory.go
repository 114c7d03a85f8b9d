// Package defenderbeatprocessor is a processor of the OpenTelemetry Collector: log records with raw payloads of
// Microsoft Defender in, log records with ECS documents out, mapped by a component of defenderbeat in its sandbox.
package defenderbeatprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
)

var processorType = component.MustNewType("defenderbeat")

// NewFactory gives what a collector makes processors of.
func NewFactory() processor.Factory {
	return processor.NewFactory(processorType, createDefaultConfig,
		processor.WithLogs(createLogs, component.StabilityLevelAlpha))
}

func createLogs(
	ctx context.Context, settings processor.Settings, config component.Config, next consumer.Logs,
) (processor.Logs, error) {
	logs, err := newLogsProcessor(settings, config.(*Config))
	if err != nil {
		return nil, err
	}
	return processorhelper.NewLogs(ctx, settings, config, next, logs.process,
		processorhelper.WithStart(logs.start),
		processorhelper.WithShutdown(logs.shutdown),
		processorhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}))
}
