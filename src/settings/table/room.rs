//! The memory that this process may take: that of the machine, or of the memory group (cgroup) that
//! it runs in, with the groups above it. Nothing is set here; a default is made of it.

use std::fs::read_to_string;
use std::path::{Component, Path};

use crate::text::units::size_text;

const MIB: u64 = 1 << 20;

/// The most that answers which wait to be sent may take by default.
const MOST_UNSENT: u64 = 256 * MIB;
/// The least: less would refuse ordinary answers.
const LEAST_UNSENT: u64 = 16 * MIB;

/// Returns the default of `[server] max_unsent`: a quarter of the memory there is, within bounds.
pub(super) fn default_unsent() -> String {
    size_text(quarter_size(available_memory(Path::new("/"))))
}

fn quarter_size(memory: Option<u64>) -> u64 {
    let quarter = memory.map_or(MOST_UNSENT, |memory| memory / 4);
    quarter.clamp(LEAST_UNSENT, MOST_UNSENT) / MIB * MIB
}

/// The memory there is, in bytes; `None` where the system does not say. `root` is `/` but in tests.
fn available_memory(root: &Path) -> Option<u64> {
    let groups = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let machine = machine_memory(root);
    groups
        .lines()
        .flat_map(|line| group_limits(root, line))
        .chain(machine)
        .min()
}

/// Returns all memory of the machine.
fn machine_memory(root: &Path) -> Option<u64> {
    let text = read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Returns the limits of a group and of those above it. A line is `0::/path` (version 2), or
/// `4:memory:/path` (version 1). Inside of a container the path may be that of the machine: then
/// there is no such folder, and the topmost one is the container's own.
fn group_limits(root: &Path, line: &str) -> Vec<u64> {
    let mut fields = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next())
    else {
        return Vec::new();
    };
    let (folders, file): (&[&str], _) = if controllers.is_empty() {
        (&["sys/fs/cgroup", "sys/fs/cgroup/unified"], "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        (&["sys/fs/cgroup/memory"], "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    let below: Vec<_> = Path::new(path)
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect();
    let mut found = Vec::new();
    for folder in folders {
        let mut group = root.join(folder);
        // A group without a limit says `max`, or has a number larger than any memory.
        let mut read = |group: &Path| {
            let text = read_to_string(group.join(file)).ok();
            found.extend(text.and_then(|text| text.trim().parse::<u64>().ok()));
        };
        read(&group);
        for part in &below {
            group.push(part);
            read(&group);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemFree: 1 kB\nMemTotal: 4194304 kB\n");

    #[test]
    fn the_least_of_machine_group_and_groups_above_counts() {
        let v2 = ("proc/self/cgroup", "0::/system.slice/unslow.service\n");
        let above = ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
        let own = |limit| {
            (
                "sys/fs/cgroup/system.slice/unslow.service/memory.max",
                limit,
            )
        };
        for (files, expected) in [
            (vec![], None),
            (vec![MACHINE], Some(4 << 30)),
            (vec![MACHINE, v2, own("max\n")], Some(4 << 30)),
            (vec![MACHINE, v2, own("536870912\n")], Some(512 << 20)),
            (vec![MACHINE, v2, above, own("max\n")], Some(1 << 30)),
            (
                vec![MACHINE, v2, above, own("536870912\n")],
                Some(512 << 20),
            ),
        ] {
            let root = system(&files);
            assert_eq!(available_memory(root.path()), expected, "{files:?}");
        }
    }

    #[test]
    fn a_container_finds_its_limit_at_the_top() {
        let v2 = ("proc/self/cgroup", "0::/\n");
        let max = ("sys/fs/cgroup/memory.max", "268435456\n");
        assert_eq!(available_memory(system(&[v2, max]).path()), Some(256 << 20));
        // In version 1 the path is the machine's.
        let v1 = (
            "proc/self/cgroup",
            "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/docker/1\n",
        );
        let max = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n");
        assert_eq!(available_memory(system(&[v1, max]).path()), Some(128 << 20));
        let none = (max.0, "9223372036854771712\n");
        assert_eq!(
            available_memory(system(&[v1, none, MACHINE]).path()),
            Some(4 << 30)
        );
    }

    #[test]
    fn the_default_is_a_quarter_within_bounds() {
        for (memory, expected) in [
            (None, 256 * MIB),
            (Some(64 << 30), 256 * MIB),
            (Some(512 << 20), 128 * MIB),
            (Some(1000 << 20), 250 * MIB),
            (Some(1), 16 * MIB),
        ] {
            assert_eq!(quarter_size(memory), expected, "{memory:?}");
        }
    }
}
