//! The numbers of the system about this process: its time, its memory, its descriptors. They are
//! read when somebody looks, from `/proc` on Linux; elsewhere nothing is known.

use serde::{Deserialize, Serialize};

/// See the head of this file. A field is `None` where the system does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessNumbers {
    /// Processor time, of all threads, in the program and in the system for it.
    pub cpu_seconds: Option<f64>,
    /// Memory that is held, in bytes.
    pub resident_bytes: Option<u64>,
    /// Addresses that are taken, in bytes.
    pub virtual_bytes: Option<u64>,
    /// Descriptors that are open.
    pub open_fds: Option<u64>,
    /// The most there may be.
    pub max_fds: Option<u64>,
    /// The moment when it began, in seconds since 1970.
    pub started_at: Option<f64>,
}

impl ProcessNumbers {
    /// Returns this process now. Reads three short files of the kernel's; waits for nothing.
    pub fn read_now() -> ProcessNumbers {
        #[cfg(target_os = "linux")]
        return linux::now();
        #[cfg(not(target_os = "linux"))]
        ProcessNumbers::default()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::sync::OnceLock;

    use nix::sys::resource::{Resource, getrlimit};
    use nix::unistd::{SysconfVar, sysconf};

    use super::ProcessNumbers;

    pub(super) fn now() -> ProcessNumbers {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = StatFields::of(&stat);
        let times = fields.number(14).zip(fields.number(15));
        let page = number(SysconfVar::PAGE_SIZE);
        ProcessNumbers {
            cpu_seconds: times.and_then(|(user, system)| in_seconds(user + system)),
            resident_bytes: fields.number(24).zip(page).map(|(pages, of)| pages * of),
            virtual_bytes: fields.number(23),
            // One of them is this look itself.
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|fds| (fds.count() as u64).saturating_sub(1)),
            max_fds: getrlimit(Resource::RLIMIT_NOFILE)
                .ok()
                .map(|(soft, _)| soft),
            started_at: started_at(&fields),
        }
    }

    /// It never changes, and on a large machine the file with the time of the boot is long.
    fn started_at(fields: &StatFields<'_>) -> Option<f64> {
        static KNOWN: OnceLock<Option<f64>> = OnceLock::new();
        *KNOWN.get_or_init(|| {
            let stat = fs::read_to_string("/proc/stat").ok()?;
            let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
            Some(boot.trim().parse::<f64>().ok()? + in_seconds(fields.number(22)?)?)
        })
    }

    /// The fields of `/proc/PID/stat`, by their numbers in proc(5).
    struct StatFields<'a>(Vec<&'a str>);

    impl StatFields<'_> {
        /// Splits the line. The name, the second field, may hold spaces and parentheses, so it is
        /// passed over.
        fn of(stat: &str) -> StatFields<'_> {
            let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
            StatFields(behind.split_whitespace().collect())
        }

        fn number(&self, field: usize) -> Option<u64> {
            self.0.get(field - 3)?.parse().ok()
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ticks")]
    fn in_seconds(ticks: u64) -> Option<f64> {
        Some(ticks as f64 / number(SysconfVar::CLK_TCK)? as f64)
    }

    fn number(of: SysconfVar) -> Option<u64> {
        u64::try_from(sysconf(of).ok()??).ok()
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

        use super::*;

        #[test]
        fn the_name_of_the_program_does_not_shift_the_fields() {
            let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 70 30 0";
            let fields = StatFields::of(stat);
            assert_eq!(fields.number(14), Some(70));
            assert_eq!(fields.number(15), Some(30));
            assert_eq!(fields.number(24), None);
            assert_eq!(StatFields::of("").number(14), None);
        }

        #[test]
        fn this_process_has_all_its_numbers() {
            let process = now();
            assert!(process.resident_bytes.unwrap() > 100_000);
            assert!(process.virtual_bytes.unwrap() >= process.resident_bytes.unwrap());
            assert!((1..=process.max_fds.unwrap()).contains(&process.open_fds.unwrap()));
            let clock = std::time::SystemTime::now();
            let clock = clock.duration_since(std::time::UNIX_EPOCH).unwrap();
            // The kernel's clock of the boot and the wall's may lie a little apart.
            let age = clock.as_secs_f64() - process.started_at.unwrap();
            assert!((-5.0..86_400.0).contains(&age), "{age}");
            let spent = process.cpu_seconds.unwrap();
            assert!(spent >= 0.0 && now().cpu_seconds.unwrap() >= spent);
        }
    }
}
