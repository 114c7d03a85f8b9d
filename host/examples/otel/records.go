package defenderbeatprocessor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Attributes by which the Elasticsearch exporter finds data stream and `_id` of a document.
const (
	attributeID        = "elasticsearch.document_id"
	attributeType      = "data_stream.type"
	attributeDataset   = "data_stream.dataset"
	attributeNamespace = "data_stream.namespace"
)

// Attributes of what was rejected.
const (
	attributeRejectID      = "defenderbeat.reject.id"
	attributeRejectCode    = "defenderbeat.reject.code"
	attributeRejectPath    = "defenderbeat.reject.path"
	attributeRejectMessage = "defenderbeat.reject.message"
)

// records gives all log records in their order.
func records(logs plog.Logs) iter.Seq[plog.LogRecord] {
	return func(yield func(plog.LogRecord) bool) {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					if !yield(record) {
						return
					}
				}
			}
		}
	}
}

// payload is what a log record has for the component.
type payload struct {
	bytes []byte
	// at is when it was observed, in whole milliseconds.
	at time.Time
}

// payloadOf takes the body: text and bytes as they are, anything else as JSON.
func payloadOf(record plog.LogRecord, now func() time.Time) payload {
	at := record.ObservedTimestamp().AsTime()
	if record.ObservedTimestamp() == 0 {
		at = now()
	}
	taken := payload{at: at.Truncate(time.Millisecond)}
	switch body := record.Body(); body.Type() {
	case pcommon.ValueTypeStr:
		taken.bytes = []byte(body.Str())
	case pcommon.ValueTypeBytes:
		taken.bytes = body.Bytes().AsRaw()
	default:
		text, err := marshal(body.AsRaw())
		if err != nil {
			// A number that JSON has not. As text it is rejected, and its reason named.
			text = []byte(body.AsString())
		}
		taken.bytes = text
	}
	return taken
}

// rebuild gives logs in which each record is replaced by the documents made of it, and by what of it was rejected.
func (p *logsProcessor) rebuild(logs plog.Logs, received []payload, outcomes []outcome) plog.Logs {
	mapped := plog.NewLogs()
	at := 0
	for _, resource := range logs.ResourceLogs().All() {
		toResource := mapped.ResourceLogs().AppendEmpty()
		resource.Resource().CopyTo(toResource.Resource())
		toResource.SetSchemaUrl(resource.SchemaUrl())
		for _, scope := range resource.ScopeLogs().All() {
			toScope := toResource.ScopeLogs().AppendEmpty()
			scope.Scope().CopyTo(toScope.Scope())
			toScope.SetSchemaUrl(scope.SchemaUrl())
			for _, record := range scope.LogRecords().All() {
				p.replace(record, received[at], outcomes[at], toScope.LogRecords())
				at++
			}
		}
		toResource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool { return scope.LogRecords().Len() == 0 })
	}
	mapped.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool { return resource.ScopeLogs().Len() == 0 })
	return mapped
}

func (p *logsProcessor) replace(record plog.LogRecord, received payload, outcome outcome, to plog.LogRecordSlice) {
	if len(outcome.documents) > 0 {
		envelope := plog.NewLogRecord()
		record.CopyTo(envelope)
		pcommon.NewValueEmpty().CopyTo(envelope.Body())
		envelope.SetObservedTimestamp(pcommon.NewTimestampFromTime(received.at))
		for _, document := range outcome.documents {
			made := to.AppendEmpty()
			envelope.CopyTo(made)
			p.fill(made, document)
		}
	}
	if p.config.OnReject == drop {
		return
	}
	for _, reject := range outcome.rejects {
		kept := to.AppendEmpty()
		record.CopyTo(kept)
		mark(kept, reject)
	}
}

// fill makes a log record of a document.
func (p *logsProcessor) fill(made plog.LogRecord, document document) {
	made.SetTimestamp(pcommon.NewTimestampFromTime(document.Time))
	attributes := made.Attributes()
	attributes.PutStr(attributeID, document.ID.String())
	attributes.PutStr(attributeType, "logs")
	attributes.PutStr(attributeDataset, p.routes[document.Route])
	attributes.PutStr(attributeNamespace, p.config.namespace())
	if p.config.Body == bodyMap && setJSON(made.Body(), document.text) == nil {
		return
	}
	made.Body().SetStr(string(document.text))
}

// mark says in attributes why a record was rejected. Where it was part of a payload, only that part is kept.
func mark(kept plog.LogRecord, reject reject) {
	if !reject.whole {
		if utf8.Valid(reject.bytes) {
			kept.Body().SetStr(string(reject.bytes))
		} else {
			kept.Body().SetEmptyBytes().FromRaw(reject.bytes)
		}
	}
	attributes := kept.Attributes()
	for name, value := range map[string]string{
		attributeRejectID: reject.id, attributeRejectCode: reject.code,
		attributeRejectPath: reject.path, attributeRejectMessage: reject.message,
	} {
		if value != "" {
			attributes.PutStr(name, value)
		}
	}
}

// setJSON sets a value to what JSON text says, members in their order.
func setJSON(to pcommon.Value, text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decode(decoder, to); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("more than one value: %w", err)
	}
	return nil
}

func decode(decoder *json.Decoder, to pcommon.Value) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return decodeMap(decoder, to.SetEmptyMap())
		}
		return decodeSlice(decoder, to.SetEmptySlice())
	case string:
		to.SetStr(token)
	case json.Number:
		setNumber(to, token)
	case bool:
		to.SetBool(token)
	}
	return nil
}

func decodeMap(decoder *json.Decoder, to pcommon.Map) error {
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		if err := decode(decoder, to.PutEmpty(name.(string))); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

func decodeSlice(decoder *json.Decoder, to pcommon.Slice) error {
	for decoder.More() {
		if err := decode(decoder, to.AppendEmpty()); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

// setNumber keeps a number's value: as text, which Elasticsearch takes for a number too, where neither 64 bits nor a
// double have it.
func setNumber(to pcommon.Value, number json.Number) {
	if integer, err := number.Int64(); err == nil {
		to.SetInt(integer)
		return
	}
	double, err := number.Float64()
	if err != nil || !strings.ContainsAny(number.String(), ".eE") {
		to.SetStr(number.String())
		return
	}
	to.SetDouble(double)
}
