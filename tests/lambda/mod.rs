//! Tests of the functions as Lambda runs them: each in its own process, behind events of API Gateway.

mod alarms;
mod all;
mod answer;
mod dashboard;
mod deployment;
mod edge;
mod event;
mod expanded;
mod hosts;
mod installation;
mod invoke;
mod keys;
mod limits;
mod maintenance;
mod metrics;
mod outputs;
mod parameters;
mod permissions;
mod processes;
mod same_answers;
mod spans;
mod template;
