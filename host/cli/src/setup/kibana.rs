//! A data view and a dashboard for each dataset, as saved objects that Kibana imports.

use serde_json::{Value as Json, json};

/// Versions of the forms below; Kibana brings objects of an older form up to date when it imports them.
const CORE: &str = "8.8.0";

/// What a dashboard shows of a dataset. All fields are there by default, and queries can group by them.
pub(super) struct Sheet {
    pub(super) dataset: &'static str,
    title: &'static str,
    /// What is counted: documents, or how many values a field has. A sync of vulnerabilities repeats those before it.
    pub(super) distinct: Option<&'static str>,
    /// What counts over time are divided by.
    pub(super) split: &'static str,
    /// Shares of all.
    pub(super) share: &'static str,
    /// Tables of the values with the highest counts, with their titles.
    pub(super) tops: [(&'static str, &'static str); 2],
    /// Columns of the list of documents, after the time.
    pub(super) columns: &'static [&'static str],
}

pub(super) const SHEETS: [Sheet; 4] = [
    Sheet {
        dataset: "alert",
        title: "Defender alerts",
        distinct: None,
        split: "m365_defender.alert.severity",
        share: "event.provider",
        tops: [("m365_defender.alert.title", "Alerts"), ("related.hosts", "Hosts")],
        columns: &[
            "m365_defender.alert.severity",
            "m365_defender.alert.title",
            "m365_defender.alert.status",
            "event.provider",
            "host.hostname",
            "user.name",
            "event.url",
        ],
    },
    Sheet {
        dataset: "incident",
        title: "Defender incidents",
        // An incident is a document for each of its alerts and updates.
        distinct: Some("event.id"),
        split: "m365_defender.incident.severity",
        share: "m365_defender.incident.status",
        tops: [("m365_defender.incident.display_name", "Incidents"), ("related.user", "Users")],
        columns: &[
            "m365_defender.incident.severity",
            "m365_defender.incident.display_name",
            "m365_defender.incident.status",
            "m365_defender.incident.alert.title",
            "event.url",
        ],
    },
    Sheet {
        dataset: "event",
        title: "Defender events",
        distinct: None,
        split: "m365_defender.event.category",
        share: "event.action",
        tops: [("host.name", "Hosts"), ("process.name", "Processes")],
        columns: &["event.action", "host.name", "user.name", "process.name", "process.command_line"],
    },
    Sheet {
        dataset: "vulnerability",
        title: "Defender vulnerabilities",
        distinct: Some("vulnerability.id"),
        split: "vulnerability.severity",
        share: "host.os.type",
        tops: [("host.name", "Hosts"), ("package.name", "Products")],
        columns: &[
            "vulnerability.severity",
            "vulnerability.id",
            "vulnerability.title",
            "package.name",
            "package.version",
            "host.name",
        ],
    },
];

/// The saved objects of the datasets, such as `alert`, one a line.
pub(super) fn ndjson(datasets: &[&str]) -> String {
    let sheets = SHEETS.iter().filter(|sheet| datasets.contains(&sheet.dataset));
    sheets.flat_map(objects).map(|object| format!("{object}\n")).collect()
}

/// A reference to the data view is what these are told apart by, so the layer has one name everywhere.
const LAYER: &str = "layer";

fn objects(sheet: &Sheet) -> Vec<Json> {
    let charts = [
        ("time", "over time", over_time(sheet)),
        ("share", "shares", shares(sheet)),
        ("top-1", sheet.tops[0].1, top(sheet, sheet.tops[0])),
        ("top-2", sheet.tops[1].1, top(sheet, sheet.tops[1])),
    ];
    let mut objects = vec![data_view(sheet)];
    for (name, title, attributes) in charts {
        let mut attributes = attributes;
        if let Some(attributes) = attributes.as_object_mut() {
            attributes.insert("title".to_owned(), format!("{}: {title}", sheet.title).into());
        }
        let view = json!({ "type": "index-pattern", "id": id(sheet, ""), "name": format!("indexpattern-datasource-layer-{LAYER}") });
        objects.push(object("lens", "8.9.0", &id(sheet, name), attributes, json!([view])));
    }
    objects.push(list(sheet));
    objects.push(dashboard(sheet));
    objects
}

fn id(sheet: &Sheet, name: &str) -> String {
    let id = format!("defenderbeat-{}-{name}", sheet.dataset);
    id.trim_end_matches('-').to_owned()
}

fn object(kind: &str, version: &str, id: &str, attributes: Json, references: Json) -> Json {
    json!({
        "type": kind, "id": id, "attributes": attributes, "references": references,
        "coreMigrationVersion": CORE, "typeMigrationVersion": version,
    })
}

fn data_view(sheet: &Sheet) -> Json {
    let attributes = json!({
        "title": format!("logs-m365_defender.{}-*", sheet.dataset),
        "name": sheet.title,
        "timeFieldName": "@timestamp",
    });
    object("index-pattern", "8.0.0", &id(sheet, ""), attributes, json!([]))
}

fn over_time(sheet: &Sheet) -> Json {
    let time = json!({
        "label": "@timestamp", "dataType": "date", "operationType": "date_histogram", "sourceField": "@timestamp",
        "isBucketed": true, "scale": "interval",
        "params": { "interval": "auto", "includeEmptyRows": true, "dropPartials": false },
    });
    let columns = [("time", time), ("group", group(sheet.split, 10)), ("count", count(sheet))];
    let visualization = json!({
        "legend": { "isVisible": true, "position": "right" },
        "valueLabels": "hide",
        "preferredSeriesType": "bar_stacked",
        "layers": [{
            "layerId": LAYER, "layerType": "data", "seriesType": "bar_stacked",
            "xAccessor": "time", "accessors": ["count"], "splitAccessor": "group",
        }],
    });
    lens("lnsXY", &columns, visualization)
}

fn shares(sheet: &Sheet) -> Json {
    let columns = [("group", group(sheet.share, 10)), ("count", count(sheet))];
    let visualization = json!({ "shape": "donut", "layers": [{
        "layerId": LAYER, "layerType": "data", "primaryGroups": ["group"], "metrics": ["count"],
        "numberDisplay": "percent", "categoryDisplay": "default", "legendDisplay": "default",
    }]});
    lens("lnsPie", &columns, visualization)
}

fn top(sheet: &Sheet, (field, _): (&str, &str)) -> Json {
    let columns = [("group", group(field, 20)), ("count", count(sheet))];
    let visualization = json!({
        "layerId": LAYER, "layerType": "data", "columns": [{ "columnId": "group" }, { "columnId": "count" }],
    });
    lens("lnsDatatable", &columns, visualization)
}

/// A chart of Lens; columns in the order in which documents are grouped.
fn lens(kind: &str, columns: &[(&str, Json)], visualization: Json) -> Json {
    let order: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let columns: serde_json::Map<String, Json> =
        columns.iter().map(|(name, column)| ((*name).to_owned(), column.clone())).collect();
    let layer = json!({ "columnOrder": order, "columns": columns, "incompleteColumns": {} });
    json!({
        "visualizationType": kind,
        "state": {
            "datasourceStates": { "formBased": { "layers": { LAYER: layer } } },
            "visualization": visualization,
            "query": { "query": "", "language": "kuery" },
            "filters": [],
        },
    })
}

fn group(field: &str, size: u32) -> Json {
    json!({
        "label": field, "dataType": "string", "operationType": "terms", "sourceField": field,
        "isBucketed": true, "scale": "ordinal",
        "params": {
            "size": size, "orderBy": { "type": "column", "columnId": "count" }, "orderDirection": "desc",
            "otherBucket": true, "missingBucket": false, "parentFormat": { "id": "terms" },
        },
    })
}

fn count(sheet: &Sheet) -> Json {
    let (label, operation, field) = match sheet.distinct {
        None => ("Documents", "count", "___records___"),
        Some(field) => ("Different ones", "unique_count", field),
    };
    json!({
        "label": label, "customLabel": true, "dataType": "number", "operationType": operation, "sourceField": field,
        "isBucketed": false, "scale": "ratio", "params": {},
    })
}

/// Text of JSON within JSON, as Kibana keeps it.
fn search_source(index: Option<&str>) -> Json {
    let mut source = json!({ "query": { "query": "", "language": "kuery" }, "filter": [] });
    if let (Some(source), Some(index)) = (source.as_object_mut(), index) {
        source.insert("indexRefName".to_owned(), index.into());
    }
    json!({ "searchSourceJSON": source.to_string() })
}

fn list(sheet: &Sheet) -> Json {
    const INDEX: &str = "kibanaSavedObjectMeta.searchSourceJSON.index";
    let attributes = json!({
        "title": format!("{}: list", sheet.title),
        "description": "",
        "columns": sheet.columns,
        "sort": [["@timestamp", "desc"]],
        "kibanaSavedObjectMeta": search_source(Some(INDEX)),
    });
    let view = json!({ "type": "index-pattern", "id": id(sheet, ""), "name": INDEX });
    object("search", "8.0.0", &id(sheet, "list"), attributes, json!([view]))
}

fn dashboard(sheet: &Sheet) -> Json {
    // Kind, name, and place on a grid that is 48 wide: left, top, width, height.
    let panels = [
        ("lens", "time", (0, 0, 32, 14)),
        ("lens", "share", (32, 0, 16, 14)),
        ("lens", "top-1", (0, 14, 24, 14)),
        ("lens", "top-2", (24, 14, 24, 14)),
        ("search", "list", (0, 28, 48, 20)),
    ];
    let mut placed = Vec::new();
    let mut references = Vec::new();
    for (kind, name, (x, y, w, h)) in panels {
        placed.push(json!({
            "type": kind, "panelIndex": name, "panelRefName": format!("panel_{name}"),
            "gridData": { "x": x, "y": y, "w": w, "h": h, "i": name },
            "embeddableConfig": { "enhancements": {} },
        }));
        references.push(json!({ "type": kind, "id": id(sheet, name), "name": format!("{name}:panel_{name}") }));
    }
    let attributes = json!({
        "title": sheet.title,
        "description": format!("What defenderbeat delivers to logs-m365_defender.{}-*.", sheet.dataset),
        "panelsJSON": Json::from(placed).to_string(),
        "optionsJSON": json!({ "useMargins": true, "hidePanelTitles": false }).to_string(),
        "timeRestore": false,
        "kibanaSavedObjectMeta": search_source(None),
    });
    object("dashboard", "8.9.0", &id(sheet, "dashboard"), attributes, references.into())
}
