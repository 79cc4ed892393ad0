//! What each system wants to be told about a service. Nothing here touches the system.

use super::Start;

/// What macOS calls the service.
pub const LABEL: &str = "conceptd.daemon";

/// A unit for systemd's manager of a user.
pub fn systemd_unit(Start { program, home }: &Start) -> String {
    let (program, home) = (systemd_word(&program.display().to_string()), systemd_word(&home.display().to_string()));
    format!(
        "[Unit]\n\
         Description=conceptd: learns concepts from pictures\n\
         \n\
         [Service]\n\
         ExecStart={program} serve --home {home}\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         # Another daemon has the home, or the settings are wrong: starting again would not help.\n\
         RestartPreventExitStatus=2\n\
         # The daemon ends its workers itself, each at a snapshot.\n\
         KillMode=mixed\n\
         TimeoutStopSec=60\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

/// A word of a command line as systemd reads it: specifiers and variables are taken literally.
fn systemd_word(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{text}\"")
}

/// An agent for macOS's launchd.
pub fn launch_agent(Start { program, home }: &Start) -> String {
    let (program, home) = (xml(&program.display().to_string()), xml(&home.display().to_string()));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LABEL}</string>
    <key>ProgramArguments</key>
    <array>
        <string>{program}</string>
        <string>serve</string>
        <string>--home</string>
        <string>{home}</string>
    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>Crashed</key>
        <true/>
    </dict>
    <key>ExitTimeOut</key>
    <integer>60</integer>
</dict>
</plist>
"#
    )
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The command that makes a task of Windows, started at logon with no more rights than the user has.
pub fn scheduled_task(Start { program, home }: &Start) -> Vec<String> {
    let mut home = home.display().to_string();
    // A single backslash before a closing quote would escape it.
    home += &"\\".repeat(home.len() - home.trim_end_matches('\\').len());
    let run = format!("\"{}\" serve --home \"{home}\"", program.display());
    ["schtasks", "/Create", "/F", "/SC", "ONLOGON", "/RL", "LIMITED", "/TN", "conceptd", "/TR", &run]
        .map(str::to_owned)
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(program: &str, home: &str) -> Start {
        Start { program: program.into(), home: home.into() }
    }

    #[test]
    fn a_unit_takes_every_path_literally() {
        let unit = systemd_unit(&start("/opt/my tools/conceptd", "/data/100% \"$HOME\""));
        let line = unit.lines().find(|line| line.starts_with("ExecStart=")).expect("a command");
        assert_eq!(line, r#"ExecStart="/opt/my tools/conceptd" serve --home "/data/100%% \"$$HOME\"""#);
        for section in ["[Unit]", "[Service]", "[Install]", "WantedBy=default.target"] {
            assert!(unit.lines().any(|line| line == section), "{section}");
        }
    }

    #[test]
    fn an_agent_is_well_formed() {
        let agent = launch_agent(&start("/Applications/a&b/conceptd", "/Users/ann/<x>"));
        assert!(agent.contains("<string>/Applications/a&amp;b/conceptd</string>"));
        assert!(agent.contains("<string>/Users/ann/&lt;x&gt;</string>"));
        assert_eq!(agent.matches("<string>").count(), agent.matches("</string>").count());
    }

    #[test]
    fn a_task_quotes_both_paths() {
        let task = scheduled_task(&start(r"C:\Program Files\conceptd.exe", r"D:\"));
        assert_eq!(task.last().expect("a command"), r#""C:\Program Files\conceptd.exe" serve --home "D:\\""#);
        assert!(task.windows(2).any(|pair| pair == ["/RL", "LIMITED"]));
    }
}
