//! The program while it runs, asked over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::time::Duration;

use crate::program::{Program, Running, Tenant, polled};

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that can be asked.
pub(crate) struct Asked {
    pub(crate) program: Program,
    pub(crate) port: u16,
}

impl Asked {
    pub(crate) fn new(tenant: &Tenant, inputs: &[(&str, String)], options: &[&str]) -> Self {
        let port = free_port();
        let http = [format!("http.port={port}"), "http.enabled=true".to_owned()];
        let options: Vec<&str> = options.iter().copied().chain(http.iter().map(String::as_str)).collect();
        Self { program: Program::of(tenant, inputs, &options), port }
    }

    pub(crate) fn of_alerts(tenant: &Tenant, options: &[&str]) -> Self {
        Self::new(tenant, &[("contoso", polled(tenant, "alert", "1s"))], options)
    }

    /// Starts, and waits until it answers.
    pub(crate) fn start(&self) -> Running {
        let mut process = Running(self.program.start());
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert_eq!(process.0.try_wait().unwrap(), None, "it has ended");
            pause();
        }
        process
    }

    /// The status and the text of an answer.
    pub(crate) fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", self.port))
    }

    /// The value of a metric of an input; none where it has none.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')))?;
        line.rsplit(' ').next().unwrap().parse().ok()
    }

    pub(crate) fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..6000 {
            if so(self) {
                return;
            }
            pause();
        }
        panic!("{what} does not come about: {}\n{}", self.get("/readyz").1, self.get("/stats").1);
    }

    pub(crate) fn command(&self, command: &[&str]) -> Output {
        self.program.command(command).output().unwrap()
    }
}

pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
