//! The configuration, changed while the program runs.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use defenderbeat_simulator::{AlertOptions, EventHubsOptions, Options};

use crate::program::{Program, Running, Tenant, polled, streamed};

/// A program whose configuration is changed, and what it has logged.
struct Changed {
    program: Program,
    process: Running,
}

impl Changed {
    fn start(tenant: &Tenant, inputs: &[(&str, String)], options: &[&str]) -> Self {
        let program = Program::of(tenant, inputs, options);
        let log = File::create(program.folder.path().join("log")).unwrap();
        let process = program.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { program, process: Running(process) }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.program.folder.path().join("log")).unwrap()
    }

    /// How often a line has all these words.
    fn count(&self, words: &[&str]) -> usize {
        self.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// How often an input has started; a line that comes again within ten seconds is counted by another one.
    fn starts(log: &str, input: &str) -> usize {
        let lines = log.lines().filter(|line| line.contains("input starts") && line.contains(&format!("{input:?}")));
        let times = |line: &str| line.split_once("repeated ")?.1.split(' ').next()?.parse().ok();
        lines.map(|line| times(line).unwrap_or(1)).sum()
    }

    fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if so(self) {
                return;
            }
            assert_eq!(self.process.0.try_wait().unwrap(), None, "it has ended: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} does not come about: {}", self.log());
    }

    /// Changes the file at once, as editors do.
    fn change(&self, change: impl Fn(&str) -> String) {
        let file = self.program.folder.path().join("defenderbeat.yml");
        let new = self.program.folder.path().join("new.yml");
        fs::write(&new, change(&fs::read_to_string(&file).unwrap())).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn hang_up(&self) {
        let told = Command::new("kill").args(["-HUP", &self.process.0.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    fn stop(mut self) -> (Program, String) {
        assert!(Command::new("kill").arg(self.process.0.id().to_string()).status().unwrap().success());
        let status = self.process.0.wait().unwrap();
        let log = self.log();
        assert!(status.success(), "{log}");
        (self.program, log)
    }
}

fn tenant() -> Tenant {
    let event_hubs = EventHubsOptions { partitions: 1, ..EventHubsOptions::default() };
    let alerts = AlertOptions { count: 50, ..AlertOptions::default() };
    Tenant::start(Options { alerts, event_hubs, ..Options::default() })
}

#[test]
fn inputs_that_changed_are_restarted_and_the_others_run_on() {
    let tenant = tenant();
    let inputs = [("contoso", polled(&tenant, "alert", "1s")), ("hub", streamed(&tenant))];
    let mut changed = Changed::start(&tenant, &inputs, &["config.reload.enabled=true", "config.reload.period=50ms"]);
    changed.until("both start", |it| it.count(&["input starts"]) == 2 && !it.program.delivered().is_empty());

    // Another interval.
    changed.change(|text| text.replace("interval: 1s", "interval: 2s"));
    changed.until("it is restarted", |it| it.count(&["read again: 0 inputs start, 1 start anew, 0 stop"]) == 1);
    changed.until("it has ended", |it| it.count(&["documents delivered", "contoso"]) >= 1);

    changed.until("all is delivered", |it| it.program.delivered() == tenant.expected());

    // One more, and then without it. Incidents are of a component that was not there before.
    let more = format!("  - id: incidents\n    {}\noutput.file:", polled(&tenant, "incident", "1s"));
    let more = more.replace("FOLDER", &changed.program.folder.path().display().to_string());
    changed.change(|text| text.replace("output.file:", &more));
    changed.until("it starts", |it| it.count(&["input starts", "incidents"]) == 1);
    changed.change(|text| text.replace(&more, "output.file:"));
    changed.until("it stops", |it| it.count(&["read again: 0 inputs start, 0 start anew, 1 stop"]) == 1);

    // A file that is broken, and one with options that are wrong.
    changed.change(|text| format!("{text}}}"));
    changed.until("it is refused", |it| it.count(&["is refused; everything goes on as before"]) == 1);
    changed.change(|text| text.trim_end_matches('}').replace("type: event", "type: nothing"));
    changed.until("it is refused", |it| it.count(&["is refused", "inputs.1.type"]) == 1);

    // What is not of inputs is said and not taken.
    changed.change(|text| {
        text.replace("type: nothing", "type: event").replace("logging.json: false", "logging.json: true\nname: other")
    });
    changed.until("it is said", |it| it.count(&["not taken before the next start", "name, logging"]) == 1);

    let (_, log) = changed.stop();
    let starts = ["contoso", "hub", "incidents"].map(|input| Changed::starts(&log, input));
    assert_eq!(starts, [2, 1, 1], "{log}");
}

#[test]
fn a_hangup_reads_it_again_and_an_input_may_be_disabled_for_a_while() {
    let tenant = tenant();
    let mut changed = Changed::start(&tenant, &[("contoso", polled(&tenant, "alert", "1s"))], &[]);
    changed.until("it delivers", |it| !it.program.delivered().is_empty());
    changed.hang_up();
    changed.until("it is read", |it| it.count(&["read again: 0 inputs start, 0 start anew, 0 stop"]) == 1);
    changed.change(|text| text.replace("type: alert", "type: alert\n    tags: [again]"));
    changed.hang_up();
    changed.until("it is restarted", |it| it.count(&["0 inputs start, 1 start anew"]) == 1);
    changed.until("it has ended", |it| it.count(&["documents delivered", "contoso"]) >= 1);
    let (program, log) = changed.stop();
    assert_eq!(program.delivered(), tenant.expected(), "{log}");
}

#[test]
fn without_inputs_it_waits_for_some_where_it_reloads() {
    let tenant = tenant();
    let inputs = [("contoso", polled(&tenant, "alert", "1s") + "\n    enabled: false")];
    let mut changed = Changed::start(&tenant, &inputs, &["config.reload.enabled=true", "config.reload.period=50ms"]);
    changed.until("it waits", |it| it.count(&["there is nothing to do"]) == 1);
    changed.change(|text| text.replace("enabled: false", "enabled: true"));
    changed.until("it starts and delivers", |it| !it.program.delivered().is_empty());
    changed.stop();
}
