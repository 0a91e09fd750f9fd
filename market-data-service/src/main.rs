// SPDX-License-Identifier: Apache-2.0
//! The command: read what is asked for, open everything, say where it is, serve until a signal.

use std::process::ExitCode;

use market_data_service::config::{read, Asked, USAGE};
use market_data_service::hub::Hub;
use market_data_service::log::{say, set_level, Level};
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let config = match read(&arguments, std::env::vars().collect()) {
        Ok(Asked::Run(config)) => config,
        Ok(Asked::Help) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Version) => {
            println!("market-data-service {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("market-data-service: {why}");
            return ExitCode::from(2);
        }
    };
    set_level(config.level);
    let (mut hub, address) = match Hub::open(&config) {
        Ok(opened) => opened,
        Err(why) => {
            eprintln!("market-data-service: {why}");
            return ExitCode::from(3);
        }
    };
    // The one line on the standard output, for whoever started it with port 0.
    println!("{}", json!({"address": address.to_string(), "pid": std::process::id()}));
    say(Level::Info, "listening", &[("address", json!(address.to_string()))]);
    match hub.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("market-data-service: {why}");
            ExitCode::from(2)
        }
    }
}
