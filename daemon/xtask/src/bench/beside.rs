//! Our step and PyTorch's, one after the other on the same machine, several rounds of each: a machine that grows warm or
//! busy meanwhile slows both.

use super::{Bench, Place, Type, median};
use crate::test;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What is compared: name in the lines of JSON, name for people.
const TIMES: [(&str, &str); 6] = [
    ("step_s", "step, median s"),
    ("min_step_s", "step, fastest s"),
    ("fwd_s", "forward s"),
    ("bwd_s", "backward s"),
    ("opt_s", "optimizer s"),
    ("cpu_s", "processor s a step"),
];

/// One side of the comparison.
struct Contestant {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    lines: Vec<Value>,
}

impl Bench {
    /// Runs both in turns and prints a table, and every line of JSON below it.
    pub(super) fn beside(&self, python: &Path) -> Result<()> {
        let script = match &self.script {
            Some(script) => script.clone(),
            None => test::root().join("tests/bench/bench_torch.py"),
        };
        if !script.is_file() {
            bail!("{} is missing; name the PyTorch step with --script", script.display());
        }
        check(python)?;
        let common = self.common();
        let of = |first: &[&str], more: &[&str]| -> Vec<String> {
            first
                .iter()
                .map(|&x| x.to_owned())
                .chain(common.clone())
                .chain(more.iter().map(|&x| x.to_owned()))
                .collect()
        };
        let script = script.display().to_string();
        let torch = |name: &str, more: &[&str]| Contestant {
            name: name.into(),
            program: python.to_owned(),
            arguments: of(&[&script, "--lora-compute", &self.lora_compute], more),
            lines: Vec::new(),
        };
        let ours = Contestant {
            name: "conceptd".into(),
            program: env::current_exe()?,
            arguments: of(&["bench"], &[]),
            lines: Vec::new(),
        };
        let mut contestants = vec![ours, torch("PyTorch", &[])];
        if let Some(mode) = &self.compile {
            contestants.push(torch(&format!("compiled ({mode})"), &["--compile", mode]));
        }
        for round in 1..=self.rounds {
            for contestant in &mut contestants {
                eprintln!("round {round} of {}: {}", self.rounds, contestant.name);
                contestant.lines.push(contestant.run()?);
            }
        }
        print!("{}", table(&contestants, load().as_deref()));
        for line in contestants.iter().flat_map(|contestant| &contestant.lines) {
            println!("{line}");
        }
        Ok(())
    }

    /// The arguments that both programs know.
    fn common(&self) -> Vec<String> {
        let dtype = if self.dtype == Type::F32 { "f32" } else { "bf16" };
        let device = if self.device == Place::Cpu { "cpu" } else { "cuda" };
        let numbers = [
            ("--res", self.res.unwrap_or_else(|| self.config.resolution())),
            ("--batch", self.batch),
            ("--steps", self.steps),
            ("--warmup", self.warmup),
            ("--rank", self.rank),
        ];
        let words = [
            ("--config", self.config.name()),
            ("--dtype", dtype),
            ("--device", device),
            ("--targets", self.targets.as_str()),
        ];
        let mut arguments: Vec<String> = words.iter().flat_map(|&(k, v)| [k.to_owned(), v.to_owned()]).collect();
        arguments.extend(numbers.iter().flat_map(|(k, v)| [(*k).to_owned(), v.to_string()]));
        if self.threads > 0 {
            arguments.extend(["--threads".to_owned(), self.threads.to_string()]);
        }
        if self.grad_checkpoint {
            arguments.push("--grad-checkpoint".into());
        }
        arguments
    }
}

impl Contestant {
    /// The line of JSON that it prints last.
    fn run(&self) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stderr(Stdio::inherit());
        let output = command.output().with_context(|| format!("cannot start {}", self.program.display()))?;
        if !output.status.success() {
            bail!("{} failed ({}): {command:?}", self.name, output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rfind(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("{} printed no line of JSON", self.name))?;
        serde_json::from_str(line).with_context(|| format!("{}: {line}", self.name))
    }

    fn numbers(&self, key: &str) -> Vec<f64> {
        self.lines.iter().filter_map(|line| line[key].as_f64()).collect()
    }

    fn median(&self, key: &str) -> f64 {
        median(&mut self.numbers(key))
    }
}

/// Fails unless the interpreter has what the PyTorch step needs. Nothing is installed into it.
fn check(python: &Path) -> Result<()> {
    let asked = Command::new(python).args(["-c", "import torch, diffusers"]).output();
    let asked = asked.with_context(|| format!("cannot start {}", python.display()))?;
    if !asked.status.success() {
        let why = String::from_utf8_lossy(&asked.stderr).lines().last().unwrap_or_default().to_owned();
        bail!(
            "{} cannot run the PyTorch step ({why}); name an interpreter that has torch and diffusers",
            python.display()
        );
    }
    Ok(())
}

/// The load of the machine, where the system says it: numbers of a busy machine mean little.
fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    Some(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// Medians over the rounds, and how many times ours goes into each other's.
fn table(contestants: &[Contestant], load: Option<&str>) -> String {
    let Some((ours, others)) = contestants.split_first() else { return String::new() };
    let first = ours.lines.first().cloned().unwrap_or_default();
    let said = |key: &str| first[key].to_string().replace('"', "");
    let mut text = format!(
        "{} {} px, batch {}, {}, {}, {} threads, rank {}, {}; {} rounds of {} steps",
        said("config"),
        said("res"),
        said("batch"),
        said("dtype"),
        said("device"),
        said("threads"),
        said("rank"),
        said("targets"),
        ours.lines.len(),
        said("steps"),
    );
    text += &load.map_or_else(|| "\n".to_owned(), |load| format!("; load behind them {load}\n"));
    let mut row = |what: &str, cell: &dyn Fn(&Contestant) -> String, ratio: &dyn Fn(&Contestant) -> String| {
        text += &format!("{what:20}{:>12}", cell(ours));
        others.iter().for_each(|other| text += &format!("{:>18}{:>8}", cell(other), ratio(other)));
        text.push('\n');
    };
    row("", &|c| c.name.clone(), &|_| "ratio".into());
    for (key, what) in TIMES.into_iter().chain([("first_step_s", "first step s"), ("build_s", "building s")]) {
        let cell = |c: &Contestant| format!("{:.4}", c.median(key));
        row(what, &cell, &|other| format!("{:.2}", other.median(key) / ours.median(key)));
    }
    row("all rounds, s", &|c| spread(&c.numbers("step_s")), &|_| String::new());
    let memory = |c: &Contestant| format!("{:.3}", c.median("peak_mem_gib"));
    row("peak memory GiB", &memory, &|other| {
        format!("{:.2}", other.median("peak_mem_gib") / ours.median("peak_mem_gib"))
    });
    row("loss", &|c| format!("{:.4}", c.median("loss")), &|_| String::new());
    text
}

/// `1.02-1.10`.
fn spread(values: &[f64]) -> String {
    let (least, most) = values.iter().fold((f64::INFINITY, 0f64), |(a, b), &x| (a.min(x), b.max(x)));
    format!("{least:.3}-{most:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_has_medians_and_ratios() {
        let line =
            |step: f64, memory: f64| json!({"config": "tinyxl", "step_s": step, "peak_mem_gib": memory, "loss": 1.5});
        let contestant =
            |name: &str, lines| Contestant { name: name.into(), program: PathBuf::new(), arguments: Vec::new(), lines };
        let ours = contestant("conceptd", vec![line(0.2, 1.0), line(0.1, 1.0), line(0.4, 1.0)]);
        let theirs = contestant("PyTorch", vec![line(0.5, 2.0), line(0.7, 2.0), line(0.3, 2.0)]);
        let text = table(&[ours, theirs], Some("0.1 0.2 0.3"));
        assert!(text.contains("load behind them 0.1 0.2 0.3\n"), "{text}");
        assert!(text.contains("step, median s            0.2000            0.5000    2.50\n"), "{text}");
        assert!(text.contains("all rounds, s        0.100-0.400       0.300-0.700"), "{text}");
        assert!(text.contains("peak memory GiB            1.000             2.000    2.00\n"), "{text}");
    }
}
