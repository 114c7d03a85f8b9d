//! `output.logstash` against the server of Elastic's go-lumber, and against one whose answers the tests give.

mod foreign;
mod hosts;
mod lumberjack;
mod trial;
mod windows;
