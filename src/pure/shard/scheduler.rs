//! `auto`: the shard that a scheduler gave a process, by the variables that it sets. The caller reads the variables.
//!
//! - Slurm sets an array task's number, the smallest and the largest number of the array, its step, and how many tasks there
//!   are. An array that is started again for the failed tasks only has other numbers: then only `AMEND_SHARDS` knows how many
//!   shards the run has, and the task's own number is the shard. Without it such an array is refused where it shows: it has
//!   gaps, or does not begin at 0 or 1.
//! - Kubernetes sets the index of a pod of an Indexed Job, and nowhere how many there are: `AMEND_SHARDS` does.
//! - Ray sets nothing: its driver passes `--shard i/N`.

use super::Shard;

/// How many shards the run has, where a launcher or the user says so.
const SHARDS: &str = "AMEND_SHARDS";
/// The number of a task of a Slurm array.
const TASK: &str = "SLURM_ARRAY_TASK_ID";
const TASKS: &str = "SLURM_ARRAY_TASK_COUNT";
const FIRST: &str = "SLURM_ARRAY_TASK_MIN";
const LAST: &str = "SLURM_ARRAY_TASK_MAX";
const STEP: &str = "SLURM_ARRAY_TASK_STEP";
/// The index of a pod of a Kubernetes Indexed Job.
const POD: &str = "JOB_COMPLETION_INDEX";

/// Every variable that `auto` looks at.
pub const VARIABLES: [&str; 7] = [SHARDS, TASK, TASKS, FIRST, LAST, STEP, POD];

/// Variables whose values name a job to a person, the most telling first.
pub const JOB_VARIABLES: [&str; 4] = ["SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID", "HOSTNAME", "RAY_JOB_ID"];

/// The shard by the variables that `value_of` knows, or why there is none.
pub fn find(value_of: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let number = |name: &str| number(name, value_of(name));
    let shards = number(SHARDS)?;
    match (number(TASK)?, number(POD)?) {
        (Some(_), Some(_)) => Err(format!(
            "`--shard auto` finds two schedulers: both {TASK} and {POD} are set; write `--shard 3/64` instead"
        )),
        (Some(task), None) => of_slurm(task, shards, &number),
        (None, Some(pod)) => {
            let shards = shards.ok_or_else(|| {
                format!(
                    "`--shard auto` finds {POD}={pod} of a Kubernetes job, and {SHARDS} is not set: nothing else says how many \
                     shards there are"
                )
            })?;
            Shard::new(pod, shards)
                .map_err(|why| format!("`--shard auto` finds {POD}={pod} and {SHARDS}={shards}: {why}"))
        }
        (None, None) => Err(format!(
            "`--shard auto` finds no scheduler: neither {TASK} (Slurm) nor {POD} (Kubernetes) is set; write `--shard 3/64` instead"
        )),
    }
}

fn of_slurm(
    task: u32,
    shards: Option<u32>,
    number: &dyn Fn(&str) -> Result<Option<u32>, String>,
) -> Result<Shard, String> {
    let tasks = number(TASKS)?;
    let (first, last) = (number(FIRST)?, number(LAST)?);
    let step = number(STEP)?;
    if step == Some(0) {
        return Err(format!("`--shard auto` finds {STEP}=0, which no array has"));
    }
    let seen =
        |name: &str, value: Option<u32>| value.map(|value| format!(" {name}={value}")).unwrap_or_default();
    let seen = format!(
        "{TASK}={task}{}{}{}{}",
        seen(TASKS, tasks),
        seen(FIRST, first),
        seen(LAST, last),
        seen(STEP, step)
    );
    let step = step.unwrap_or(1);
    // Whether the array is one of so many tasks without gaps, and which of them this one is.
    let place = |count: u32, first: u32| {
        let is_whole = last.is_none_or(|last| {
            last >= first && (last - first).is_multiple_of(step) && (last - first) / step + 1 == count
        });
        let offset = task.checked_sub(first).filter(|offset| offset.is_multiple_of(step))?;
        is_whole.then_some(offset / step)
    };
    if let Some(shards) = shards {
        let whole = tasks.zip(first).filter(|(tasks, _)| *tasks == shards);
        // An array of other tasks than all of them is started again for some: their numbers are those of shards.
        let index = whole.and_then(|(tasks, first)| place(tasks, first)).unwrap_or(task);
        return Shard::new(index, shards)
            .map_err(|why| format!("`--shard auto` finds {seen} and {SHARDS}={shards}: {why}"));
    }
    let (Some(tasks), Some(first)) = (tasks, first) else {
        return Err(format!(
            "`--shard auto` finds {seen}, and not how many tasks there are: {TASKS} or {FIRST} is not set; set {SHARDS}"
        ));
    };
    let unknown = |what: &str| {
        format!(
            "`--shard auto` finds {seen}: the array {what}, as one that is started again for some tasks, so nobody knows how many \
             shards the run has; set {SHARDS}, or write `--shard \"${TASK}/64\"`"
        )
    };
    let index = place(tasks, first).ok_or_else(|| unknown("has gaps"))?;
    if first > 1 && step == 1 {
        return Err(unknown(&format!("begins at {first}")));
    }
    Shard::new(index, tasks).map_err(|why| format!("`--shard auto` finds {seen}: {why}"))
}

/// A variable as a number; `None` where it is absent, an error where it is empty or no number.
fn number(name: &str, value: Option<String>) -> Result<Option<u32>, String> {
    let Some(value) = value else { return Ok(None) };
    let value = value.trim();
    if value.is_empty() {
        return Err(format!("`--shard auto` finds {name} empty: unset it, or give it a number"));
    }
    let read = value.bytes().all(|c| c.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    read.map(Some)
        .ok_or_else(|| format!("`--shard auto` finds {name}={}, which is no number", value.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(set: &[(&str, &str)]) -> Result<String, String> {
        let value_of =
            |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        find(&value_of).map(|shard| shard.to_string())
    }

    /// An array's variables as Slurm sets them.
    fn array<'a>(
        task: &'a str,
        tasks: &'a str,
        first: &'a str,
        last: &'a str,
        step: &'a str,
    ) -> Vec<(&'static str, &'a str)> {
        vec![(TASK, task), (TASKS, tasks), (FIRST, first), (LAST, last), (STEP, step)]
    }

    #[test]
    fn a_whole_array_says_it_all() {
        for (variables, shard) in [
            (array("3", "64", "0", "63", "1"), "3/64"),
            (array("1", "8", "1", "8", "1"), "0/8"),
            (array("8", "8", "1", "8", "1"), "7/8"),
            (array("20", "3", "10", "20", "5"), "2/3"),
            (array("0", "1", "0", "0", "1"), "0/1"),
        ] {
            assert_eq!(find_in(&variables).as_deref(), Ok(shard), "{variables:?}");
            // Where the number of shards is said too, it changes nothing.
            let count = shard.split_once('/').unwrap().1;
            let said = [&variables[..], &[(SHARDS, count)]].concat();
            assert_eq!(find_in(&said).as_deref(), Ok(shard), "{said:?}");
        }
    }

    #[test]
    fn an_array_for_some_tasks_needs_the_number_of_shards() {
        for variables in [
            array("3", "2", "3", "7", "1"),
            array("7", "2", "3", "7", "1"),
            array("4", "2", "3", "4", "1"),
            array("9", "1", "9", "9", "1"),
            array("2", "3", "0", "9", "1"),
        ] {
            let told = find_in(&variables).unwrap_err();
            assert!(told.contains(SHARDS) && told.contains(TASK), "{told}");
            let said = [&variables[..], &[(SHARDS, "64")]].concat();
            let task = variables[0].1;
            assert_eq!(find_in(&said), Ok(format!("{task}/64")), "{said:?}");
        }
        assert!(find_in(&[(TASK, "64"), (SHARDS, "64")]).unwrap_err().contains("the last one is 63"));
    }

    #[test]
    fn a_pod_needs_the_number_of_shards() {
        assert_eq!(find_in(&[(POD, "5"), (SHARDS, "6")]).as_deref(), Ok("5/6"));
        assert!(find_in(&[(POD, "6"), (SHARDS, "6")]).unwrap_err().contains("the last one is 5"));
        let told = find_in(&[(POD, "5")]).unwrap_err();
        assert!(told.contains(SHARDS) && told.contains(POD), "{told}");
    }

    /// Every variable set rightly, empty, absent, or wrongly, in every combination: a shard in range, or a sentence that names
    /// a variable. Where the variables that decide are right, the shard is the right one.
    #[test]
    fn every_combination_gives_a_shard_or_names_a_variable() {
        let right = |name: &str| match name {
            SHARDS | TASKS => "4",
            LAST => "3",
            FIRST => "0",
            STEP => "1",
            _ => "2",
        };
        let states = [None, Some(""), Some("x"), Some("-1"), Some("right")];
        let mut counts = (0, 0);
        for code in 0..states.len().pow(7) {
            let mut left = code;
            let mut set = Vec::new();
            for name in VARIABLES {
                let state = states[left % states.len()];
                left /= states.len();
                set.extend(state.map(|state| (name, if state == "right" { right(name) } else { state })));
            }
            let is_set = |name: &str| set.iter().any(|(set, _)| *set == name);
            let is_right = |name: &str| set.contains(&(name, right(name)));
            match find_in(&set) {
                Ok(shard) => {
                    counts.0 += 1;
                    assert_eq!(shard, "2/4", "{set:?}");
                    let by_slurm = is_right(TASK) && (is_right(SHARDS) || is_right(TASKS) && is_right(FIRST));
                    assert!(by_slurm || is_right(POD) && is_right(SHARDS), "{set:?}");
                    assert!(!(is_set(TASK) && is_set(POD)), "{set:?}");
                }
                Err(told) => {
                    counts.1 += 1;
                    assert!(VARIABLES.iter().any(|name| told.contains(name)), "{set:?}: {told}");
                    let slurm = [SHARDS, TASK, TASKS, FIRST, LAST, STEP].iter().all(|name| is_right(name));
                    assert!(!slurm || is_set(POD), "{set:?}: {told}");
                }
            }
        }
        assert!(counts.0 > 20 && counts.1 > 70_000, "{counts:?}");
    }

    #[test]
    fn without_a_scheduler_it_says_what_it_looked_for() {
        let told = find_in(&[]).unwrap_err();
        assert!(told.contains(TASK) && told.contains(POD) && told.contains("--shard 3/64"), "{told}");
        assert!(find_in(&[(TASK, "")]).unwrap_err().contains("SLURM_ARRAY_TASK_ID empty"));
        assert!(find_in(&[(TASK, "1\n")]).unwrap_err().contains(TASKS));
        let both = [&array("0", "2", "0", "1", "1")[..], &[(POD, "1"), (SHARDS, "2")]].concat();
        assert!(find_in(&both).unwrap_err().contains("two schedulers"));
    }
}
