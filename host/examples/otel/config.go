package defenderbeatprocessor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/defenderbeat/defenderbeat/host/examples/go"
)

// Config is what a collector's YAML says of the processor.
type Config struct {
	// Components is the folder of the core modules, `<dataset>.core.wasm`; what `make components` writes to dist.
	Components string `mapstructure:"components"`
	// Dataset is what the log records are: alert, incident, event or vulnerability.
	Dataset string `mapstructure:"dataset"`
	// Feed is the component's feed; by default its first. A feed whose records build on each other until a sync ends is
	// refused: a stream of log records has no end.
	Feed string `mapstructure:"feed"`
	// Settings go to the component, which refuses what it does not know: namespace, tags, preserve_original_event,
	// preserve_duplicate_custom_fields, processors, rows and so on, as docs/embedding.md has them.
	Settings map[string]any `mapstructure:"settings"`
	// Body is what a document becomes: `map`, a body of fields, or `text`, the document's own bytes.
	Body string `mapstructure:"body"`
	// OnReject is what happens to what cannot be mapped, after it was logged and counted: `keep` passes it on as it came,
	// with the reason in its attributes, `drop` does not.
	OnReject string `mapstructure:"on_reject"`
	// Deadline is the longest time that one batch may take; what takes longer alone is rejected.
	Deadline time.Duration `mapstructure:"deadline"`
	// MemoryMiB is the memory that the component may have.
	MemoryMiB uint32 `mapstructure:"memory_mib"`
	// Cache is a folder for machine code, so that the next start does not compile. Whoever can write there runs code in the
	// collector. By default nothing is kept.
	Cache string `mapstructure:"cache"`
}

const (
	bodyMap  = "map"
	bodyText = "text"
	keep     = "keep"
	drop     = "drop"
)

func createDefaultConfig() component.Config {
	return &Config{Body: bodyMap, OnReject: keep, Deadline: 10 * time.Second, MemoryMiB: 512}
}

// Validate says all that is wrong with what needs no component to be checked; the rest is checked at the start.
func (c *Config) Validate() error {
	var wrong []error
	refuse := func(format string, arguments ...any) { wrong = append(wrong, fmt.Errorf(format, arguments...)) }
	if c.Components == "" {
		refuse("components: say in which folder the core modules are")
	}
	if c.Dataset == "" || c.Dataset != filepath.Base(c.Dataset) {
		refuse("dataset: say what the records are: alert, incident, event or vulnerability")
	}
	if !slices.Contains([]string{bodyMap, bodyText}, c.Body) {
		refuse("body: is `%s`, may be map or text", c.Body)
	}
	if !slices.Contains([]string{keep, drop}, c.OnReject) {
		refuse("on_reject: is `%s`, may be keep or drop", c.OnReject)
	}
	if c.Deadline <= 0 {
		refuse("deadline: is %v, has to be longer than nothing", c.Deadline)
	}
	if c.MemoryMiB < 16 || c.MemoryMiB > 4096 {
		refuse("memory_mib: is %d, may be 16 to 4096", c.MemoryMiB)
	}
	if _, err := c.settings(); err != nil {
		refuse("%w", err)
	}
	return errors.Join(wrong...)
}

func (c *Config) module() string {
	return filepath.Join(c.Components, c.Dataset+".core.wasm")
}

func (c *Config) limits() defenderbeat.Limits {
	return defenderbeat.Limits{Deadline: c.Deadline, Memory: uint64(c.MemoryMiB) << 20}
}

// settings gives the component's settings as JSON.
func (c *Config) settings() (string, error) {
	if len(c.Settings) == 0 {
		return "{}", nil
	}
	text, err := marshal(c.Settings)
	if err != nil {
		return "", fmt.Errorf("settings: %w", err)
	}
	return string(text), nil
}

// namespace is the last part of the data stream's name; the component checks it.
func (c *Config) namespace() string {
	if namespace, given := c.Settings["namespace"].(string); given {
		return namespace
	}
	return "default"
}

// marshal gives JSON whose text is as it is: `<` stays `<`.
func marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
