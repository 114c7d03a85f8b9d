package defenderbeatprocessor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

var observed = time.UnixMilli(1_735_689_600_000).UTC()

// cache has the machine code of what several tests compile.
var cache string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "defenderbeat")
	if err != nil {
		panic(err)
	}
	cache = folder
	status := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		panic(err)
	}
	os.Exit(status)
}

// running is a processor that was started, and what comes out of it.
type running struct {
	processor.Logs
	out       *consumertest.LogsSink
	telemetry *componenttest.Telemetry
}

func create(t *testing.T, settings map[string]any) (running, error) {
	t.Helper()
	folder := os.Getenv("DEFENDERBEAT_COMPONENTS")
	if folder == "" {
		t.Skip("DEFENDERBEAT_COMPONENTS does not say where the core modules are")
	}
	config := createDefaultConfig().(*Config)
	config.Components = folder
	config.Cache = cache
	check(t, confmap.NewFromStringMap(settings).Unmarshal(config))
	check(t, config.Validate())
	telemetry := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(processorType)
	id := set.ID
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	set.ID = id
	out := new(consumertest.LogsSink)
	logs, err := NewFactory().CreateLogs(context.Background(), set, config, out)
	check(t, err)
	return running{logs, out, telemetry}, logs.Start(context.Background(), componenttest.NewNopHost())
}

func start(t *testing.T, settings map[string]any) running {
	t.Helper()
	started, err := create(t, settings)
	check(t, err)
	t.Cleanup(func() { check(t, started.Shutdown(context.Background())) })
	return started
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logs gives log records with these bodies, of one resource and scope.
func logs(bodies ...any) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("host.name", "collector-1")
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName("source")
	for _, body := range bodies {
		record := scope.LogRecords().AppendEmpty()
		record.SetObservedTimestamp(pcommon.NewTimestampFromTime(observed))
		record.Attributes().PutStr("log.file.name", "alerts.ndjson")
		if bytes, ok := body.([]byte); ok {
			record.Body().SetEmptyBytes().FromRaw(bytes)
		} else if err := record.Body().FromRaw(body); err != nil {
			panic(err)
		}
	}
	return logs
}

// pass passes log records through, and gives those that came out.
func (r running) pass(t *testing.T, in plog.Logs) []plog.LogRecord {
	t.Helper()
	r.out.Reset()
	check(t, r.ConsumeLogs(context.Background(), in))
	var made []plog.LogRecord
	for _, out := range r.out.AllLogs() {
		for record := range records(out) {
			made = append(made, record)
		}
	}
	return made
}

func (r running) count(t *testing.T, name string) (total int64) {
	t.Helper()
	metric, err := r.telemetry.GetMetric(metricPrefix + name)
	if err != nil {
		return 0
	}
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		total += point.Value
	}
	return total
}

func text(t *testing.T, record plog.LogRecord, attribute string) string {
	t.Helper()
	value, _ := record.Attributes().Get(attribute)
	return value.Str()
}

// golden gives a golden case's payload and documents.
func golden(t *testing.T, name string) (payload string, documents []string) {
	t.Helper()
	folder := os.Getenv("DEFENDERBEAT_TESTDATA")
	if folder == "" {
		t.Skip("DEFENDERBEAT_TESTDATA does not say where the golden cases are")
	}
	read := func(file string) string {
		bytes, err := os.ReadFile(filepath.Join(folder, file))
		check(t, err)
		return string(bytes)
	}
	return read(name + ".ndjson"), strings.Split(strings.TrimSuffix(read(name+".expected.ndjson"), "\n"), "\n")
}

func TestDocumentsAreByteForByteThoseOfEveryHost(t *testing.T) {
	for name, dataset := range map[string]string{"alert/severities": "alert", "incident/a-document-for-each-alert": "incident"} {
		payload, documents := golden(t, name)
		made := start(t, map[string]any{"dataset": dataset, "body": "text"}).pass(t, logs(payload))
		if len(made) != len(documents) {
			t.Fatalf("%s: %d documents, %d expected", name, len(made), len(documents))
		}
		for at, document := range documents {
			if made[at].Body().Str() != document {
				t.Errorf("%s: document %d differs: %s", name, at, made[at].Body().Str())
			}
		}
	}
}

func TestABodyOfFieldsIsTheDocument(t *testing.T) {
	payload, documents := golden(t, "alert/severities")
	made := start(t, map[string]any{"dataset": "alert"}).pass(t, logs(payload))
	for at, document := range documents {
		var wanted map[string]any
		check(t, json.Unmarshal([]byte(document), &wanted))
		text, err := marshal(made[at].Body().AsRaw())
		check(t, err)
		var got map[string]any
		check(t, json.Unmarshal(text, &got))
		if !reflect.DeepEqual(wanted, got) {
			t.Errorf("document %d differs: %s", at, text)
		}
		if time := wanted["@timestamp"]; made[at].Timestamp().AsTime().Format("2006-01-02T15:04:05.000Z") != time {
			t.Errorf("document %d of %v has time %v", at, time, made[at].Timestamp())
		}
	}
}

func TestTextBytesAndFieldsAreTheSamePayload(t *testing.T) {
	alert := `{"id":"da1","lastUpdateDateTime":"2024-05-06T07:08:09Z","severity":"high","title":"a < b"}`
	var fields map[string]any
	check(t, json.Unmarshal([]byte(alert), &fields))
	made := start(t, map[string]any{"dataset": "alert", "body": "text"}).pass(t, logs(alert, []byte(alert), fields))
	if len(made) != 3 || made[0].Body().Str() != made[1].Body().Str() || made[0].Body().Str() != made[2].Body().Str() {
		t.Errorf("%d", len(made))
	}
}

func TestADocumentKnowsItsStreamAndWhereItCameFrom(t *testing.T) {
	started := start(t, map[string]any{
		"dataset": "alert", "settings": map[string]any{"namespace": "soc", "tags": []any{"a"}, "preserve_original_event": true},
	})
	made := started.pass(t, logs(`{"id":"da1","lastUpdateDateTime":"2024-05-06T07:08:09Z"}`))
	wanted := map[string]string{
		attributeType: "logs", attributeDataset: "m365_defender.alert", attributeNamespace: "soc", "log.file.name": "alerts.ndjson",
	}
	for name, value := range wanted {
		if got := text(t, made[0], name); got != value {
			t.Errorf("%s is %q", name, got)
		}
	}
	if id := text(t, made[0], attributeID); len(id) != 32 {
		t.Errorf("_id is %q", id)
	}
	body := made[0].Body().Map().AsRaw()
	if !reflect.DeepEqual(body["tags"], []any{"a", "preserve_original_event"}) && !reflect.DeepEqual(body["tags"], []any{"a"}) {
		t.Errorf("tags are %v", body["tags"])
	}
	if event := body["event"].(map[string]any); event["original"] == nil {
		t.Errorf("event is %v", event)
	}
	resource := started.out.AllLogs()[0].ResourceLogs().At(0)
	if host, _ := resource.Resource().Attributes().Get("host.name"); host.Str() != "collector-1" || resource.ScopeLogs().At(0).Scope().Name() != "source" {
		t.Errorf("%v", resource.Resource().Attributes().AsRaw())
	}
}

func TestWhatIsRejectedGoesOnAsItCame(t *testing.T) {
	started := start(t, map[string]any{"dataset": "alert"})
	made := started.pass(t, logs(`{"id":"da1"}`+"\nnonsense", "nothing at all", map[string]any{"id": "da2"}, 5))
	var bodies []string
	for _, record := range made {
		if code := text(t, record, attributeRejectCode); code != "" {
			bodies = append(bodies, code+": "+record.Body().AsString())
			if text(t, record, attributeRejectMessage) == "" || len(text(t, record, attributeRejectID)) != 32 || text(t, record, attributeID) != "" {
				t.Errorf("%v", record.Attributes().AsRaw())
			}
		}
	}
	if !reflect.DeepEqual(bodies, []string{"malformed: nonsense", "malformed: nothing at all", "malformed: 5"}) {
		t.Errorf("%q of %d", bodies, len(made))
	}
	for name, count := range map[string]int64{"records": 5, "documents": 2, "rejects": 3, "traps": 0} {
		if got := started.count(t, name); got != count {
			t.Errorf("%s: %d, not %d", name, got, count)
		}
	}
}

func TestWhatIsRejectedEndsIfItIsToBe(t *testing.T) {
	started := start(t, map[string]any{"dataset": "alert", "on_reject": "drop"})
	if made := started.pass(t, logs("nonsense", " ")); len(made) != 0 || started.count(t, "rejects") != 1 || started.count(t, "empty") != 1 {
		t.Errorf("%d passed on, %d rejected", len(made), started.count(t, "rejects"))
	}
}

func TestARecordThatTrapsCostsThatRecordOnly(t *testing.T) {
	started := start(t, map[string]any{"dataset": "hostile", "body": "text", "deadline": "200ms"})
	made := started.pass(t, logs(`{"a":1}`, `{"do":"panic","text":"last words"}`, `{"b":2}`, `{"do":"spin"}`,
		`{"do":"lie","about":"tally-more"}`, `{"do":"drop"}`, `{"c":3}`))
	var bodies []string
	for _, record := range made {
		bodies = append(bodies, strings.Trim(text(t, record, attributeRejectCode)+" "+record.Body().Str(), " "))
	}
	wanted := []string{`{"a":1}`, `trap {"do":"panic","text":"last words"}`, `{"b":2}`, `deadline {"do":"spin"}`,
		`lie {"do":"lie","about":"tally-more"}`, `{"c":3}`}
	if !reflect.DeepEqual(bodies, wanted) || started.count(t, "traps") != 3 || started.count(t, "documents") != 3 {
		t.Errorf("%q", bodies)
	}
	if message := text(t, made[1], attributeRejectMessage); !strings.Contains(message, "last words") {
		t.Error(message)
	}
}

func TestFactsOutliveATrap(t *testing.T) {
	started := start(t, map[string]any{"dataset": "hostile", "feed": "facts", "body": "text"})
	started.pass(t, logs(`{"do":"fact","text":"one "}`))
	started.pass(t, logs(`{"do":"fact","text":"two"}`, `{"do":"trap"}`))
	made := started.pass(t, logs(`{"do":"recall"}`))
	if made[0].Body().Str() != `{"learned":"one two"}` {
		t.Error(made[0].Body().Str())
	}
}

func TestACollectorDoesNotStartWithWhatCannotWork(t *testing.T) {
	for says, settings := range map[string]map[string]any{
		"settings refused at $.tag": {"dataset": "alert", "settings": map[string]any{"tag": []any{}}},
		"it has records":            {"dataset": "vulnerability", "feed": "machines"},
		"components: reading":       {"dataset": "none"},
		"which no pipeline needs":   {"dataset": "hostile-import"},
	} {
		started, err := create(t, settings)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
		check(t, started.Shutdown(context.Background()))
	}
}

func TestAConfigurationIsCheckedBeforeTheStart(t *testing.T) {
	config := &Config{Body: "xml", OnReject: "ignore", MemoryMiB: 1}
	err := config.Validate()
	for _, key := range []string{"components:", "dataset:", "body:", "on_reject:", "deadline:", "memory_mib:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not in %v", key, err)
		}
	}
	if err := componenttest.CheckConfigStruct(createDefaultConfig()); err != nil {
		t.Error(err)
	}
	var _ component.Config = config
}

func TestNumbersKeepTheirValue(t *testing.T) {
	value := pcommon.NewValueEmpty()
	check(t, setJSON(value, []byte(`{"b":[1,-9223372036854775808,18446744073709551615,1.5,1e3,true,null],"a":"<é>"}`)))
	wanted := map[string]any{
		"b": []any{int64(1), int64(-9223372036854775808), "18446744073709551615", 1.5, 1000.0, true, nil}, "a": "<é>",
	}
	if got := value.Map().AsRaw(); !reflect.DeepEqual(got, wanted) {
		t.Errorf("%#v", got)
	}
	if err := setJSON(value, []byte(`{} {}`)); err == nil {
		t.Error("two values were taken")
	}
}
