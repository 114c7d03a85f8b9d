package defenderbeatprocessor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// batchBytes is how many bytes of payloads are mapped together, unless one is larger.
const batchBytes = 1 << 20

// logsProcessor maps log records with one component.
type logsProcessor struct {
	config    *Config
	logger    *zap.Logger
	telemetry *telemetry
	now       func() time.Time

	cache     wazero.CompilationCache
	component *defenderbeat.Component
	routes    []string
	// mapping holds the mapper: an instance is for one batch at a time, and facts have an order.
	mapping sync.Mutex
	mapper  *mapper
}

func newLogsProcessor(settings processor.Settings, config *Config) (*logsProcessor, error) {
	telemetry, err := newTelemetry(settings)
	if err != nil {
		return nil, fmt.Errorf("setting up metrics: %w", err)
	}
	return &logsProcessor{config: config, logger: settings.Logger, telemetry: telemetry, now: time.Now}, nil
}

// start compiles the component and opens it once, so that what is wrong with it or its settings keeps the collector from
// starting.
func (p *logsProcessor) start(ctx context.Context, _ component.Host) error {
	if err := p.open(ctx); err != nil {
		return errors.Join(fmt.Errorf("the dataset `%s` cannot be mapped: %w", p.config.Dataset, err), p.shutdown(ctx))
	}
	return nil
}

func (p *logsProcessor) open(ctx context.Context) (err error) {
	options := defenderbeat.Options{Limits: p.config.limits()}
	if p.config.Cache != "" {
		if p.cache, err = wazero.NewCompilationCacheWithDir(p.config.Cache); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		options.Cache = p.cache
	}
	if p.component, err = defenderbeat.CompileFile(ctx, p.config.module(), options); err != nil {
		return fmt.Errorf("components: %w", err)
	}
	feed, err := p.feed()
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	settings, err := p.config.settings()
	if err != nil {
		return err
	}
	p.routes = p.component.Descriptor().Routes
	p.mapper = &mapper{
		component: p.component, feed: feed, settings: settings, memory: options.Limits.Memory, report: p.report,
		told: make(map[string]bool),
	}
	return p.mapper.open(ctx)
}

// feed gives the name of the feed that log records are of.
func (p *logsProcessor) feed() (string, error) {
	var streams []string
	for _, feed := range p.component.Descriptor().Feeds {
		if feed.State == defenderbeat.StateSync {
			continue
		}
		if p.config.Feed == "" || p.config.Feed == feed.Name {
			return feed.Name, nil
		}
		streams = append(streams, feed.Name)
	}
	return "", fmt.Errorf("`%s` is no stream of records of `%s`; it has %s", p.config.Feed, p.config.Dataset, strings.Join(streams, ", "))
}

func (p *logsProcessor) shutdown(ctx context.Context) (err error) {
	p.mapping.Lock()
	defer p.mapping.Unlock()
	if p.component != nil {
		err = p.component.Close(ctx)
	}
	if p.cache != nil {
		err = errors.Join(err, p.cache.Close(ctx))
	}
	p.component, p.cache, p.mapper = nil, nil, nil
	return err
}

// report logs what the component says.
func (p *logsProcessor) report(level defenderbeat.Level, message string) {
	switch level {
	case defenderbeat.LevelError:
		p.logger.Error(message)
	case defenderbeat.LevelWarn:
		p.logger.Warn(message)
	case defenderbeat.LevelInfo:
		p.logger.Info(message)
	default:
		p.logger.Debug(message)
	}
}

// process maps log records. What comes out has the resources, scopes and order of what came in.
func (p *logsProcessor) process(ctx context.Context, logs plog.Logs) (plog.Logs, error) {
	var received []payload
	for record := range records(logs) {
		received = append(received, payloadOf(record, p.now))
	}
	outcomes, err := p.mapAll(ctx, received)
	if err != nil {
		return plog.Logs{}, fmt.Errorf("mapping log records: %w", err)
	}
	mapped := p.rebuild(logs, received, outcomes)
	for _, outcome := range outcomes {
		p.account(ctx, outcome)
	}
	if mapped.LogRecordCount() == 0 {
		return mapped, processorhelper.ErrSkipProcessingData
	}
	return mapped, nil
}

// mapAll maps payloads in their order, as many together as were received in the same millisecond and are not too large.
func (p *logsProcessor) mapAll(ctx context.Context, received []payload) ([]outcome, error) {
	p.mapping.Lock()
	defer p.mapping.Unlock()
	if p.mapper == nil {
		return nil, errors.New("the processor does not run")
	}
	outcomes := make([]outcome, 0, len(received))
	for len(received) > 0 {
		first, size, payloads := received[0], 0, [][]byte(nil)
		for _, next := range received {
			if !next.at.Equal(first.at) || len(payloads) > 0 && size+len(next.bytes) > batchBytes {
				break
			}
			size += len(next.bytes)
			payloads = append(payloads, next.bytes)
		}
		batch, err := p.mapper.push(ctx, first.at, payloads)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, batch...)
		received = received[len(payloads):]
	}
	return outcomes, nil
}

// account counts what became of a payload, and says what was rejected.
func (p *logsProcessor) account(ctx context.Context, outcome outcome) {
	p.telemetry.count(ctx, outcome)
	for _, reject := range outcome.rejects {
		p.logger.Warn("rejected a record",
			zap.String("id", reject.id), zap.String("code", reject.code), zap.String("path", reject.path),
			zap.String("reason", reject.message), zap.Int("bytes", len(reject.bytes)), zap.String("on_reject", p.config.OnReject))
	}
}
