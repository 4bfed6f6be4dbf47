//! The start of a process until it serves, in the order that its errors and its privileges ask for;
//! and the traces that it removes at the end.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use nix::sys::stat::Mode;
use tokio::sync::mpsc;

use super::bound::BoundResources;
use super::control::ControlSocket;
use super::ended::{ExitError, print_line};
use super::handover::{HandoverRole, ParentPipe};
use super::identity::Identity;
use super::launch::{Launch, ProcessContext};
use super::master::Master;
use super::place::DaemonFiles;
use super::shutdown_kind::ShutdownKind;
use super::signals::{self, SignalQueue};
use super::upgrade::UpgradeState;
use super::{browser, detach, identity};
use crate::app::App;
use crate::environment;
use crate::error::StartupError;
use crate::flags::Flags;
use crate::logging::{self, AccessLog};
use crate::settings::Settings;

/// Requests of the control socket that may wait.
const WAITING_REQUESTS: usize = 16;

/// Serves until it is asked to end: in the foreground, in the background, or as the next process of
/// an upgrade. Prints each address once it can be used.
///
/// # Errors
/// Why it did not come to serve, or could not go on.
pub fn serve_process(flags: &Flags, launch: Launch) -> Result<(), ExitError> {
    let line = launch.arrival.as_ref().map(|arrival| arrival.line.clone());
    signals::outlive_file_size_limit().map_err(ExitError::from_system)?;
    let result = begin_process(flags, launch);
    if let (Err(ended), Some(line)) = (&result, line) {
        line.report_failure(ended.code, &ended.message);
    }
    result
}

fn begin_process(flags: &Flags, mut launch: Launch) -> Result<(), ExitError> {
    let (started, settings) =
        ProcessContext::new(flags, &launch).map_err(ExitError::from_settings)?;
    environment::set(&settings.process.env);
    nix::sys::stat::umask(Mode::from_bits_truncate(settings.process.umask));
    if started.in_background && launch.arrival.is_none() {
        return detach::run(&started, &settings, &mut launch);
    }
    let role = launch.arrival.as_ref().map(|arrival| arrival.role);
    if role == Some(HandoverRole::Detached) {
        // A new session has no terminal that could hang up.
        nix::unistd::setsid().map_err(ExitError::from_system)?;
    }
    let identity =
        identity::wanted_identity(&settings.process).map_err(ExitError::from_settings)?;
    let bound = BoundResources::new(&settings, &mut launch)?;
    let paths = bound.paths.clone();
    let result = go_on(started, settings, launch, bound, identity.as_ref());
    if result.is_err() {
        paths.remove();
    }
    result
}

/// Goes on from open sockets to the end.
fn go_on(
    mut started: ProcessContext,
    mut settings: Settings,
    launch: Launch,
    mut bound: BoundResources,
    identity: Option<&Identity>,
) -> Result<(), ExitError> {
    let mut control = bound.bind_control(identity)?;
    if let Some(folder) = &settings.process.chdir {
        std::env::set_current_dir(folder).map_err(|error| {
            let what = format!("{} cannot be entered: {error}", folder.display());
            ExitError::from_settings(StartupError::new(what).at_place("--chdir / [server] chdir"))
        })?;
    }
    if let Some(identity) = identity {
        identity::drop_to(identity).map_err(ExitError::from_settings)?;
    }
    logging::start_logging(&settings.log).map_err(ExitError::from_settings)?;
    if let Some(arrival) = &launch.arrival {
        arrival.line.tell_of_panics();
    }
    warn_about_rights(&started, &settings);
    if launch.arrival.is_none() && bound.pidfile.is_none() {
        let default = started.default_pidfile();
        control = bound.take_default(&default, &settings);
        started.place = control.is_some().then_some(default);
        settings.process.pidfile.clone_from(&started.place);
    }
    run(started, settings, launch, bound, control)
}

/// Says what will not be possible later.
fn warn_about_rights(started: &ProcessContext, settings: &Settings) {
    let tls = settings.tls.iter().flat_map(|tls| [&tls.cert, &tls.key]);
    for file in identity::unreadable_files(tls.chain(&started.flags.config)) {
        tracing::warn!(
            "{} is not readable for the user that unslow runs as: neither a reload nor an upgrade \
             will be possible",
            file.display()
        );
    }
    let pidfile = settings.process.pidfile.as_deref().and_then(Path::parent);
    for folder in identity::unwritable_folders(pidfile) {
        tracing::warn!(
            "{} is not writable for the user that unslow runs as: an upgrade will not be possible",
            folder.display()
        );
    }
    let logs = settings
        .log
        .log_files()
        .filter_map(|(_, file)| file.parent());
    for folder in identity::unwritable_folders(logs) {
        tracing::warn!(
            "{} is not writable for the user that unslow runs as: a log that is moved away cannot \
             be opened again there",
            folder.display()
        );
    }
}

/// Runs an open application to its end.
fn run(
    started: ProcessContext,
    settings: Settings,
    launch: Launch,
    bound: BoundResources,
    control: Option<ControlSocket>,
) -> Result<(), ExitError> {
    let access_log = AccessLog::open(&settings.log).map_err(ExitError::from_settings)?;
    let app = Arc::new(App::open(settings).map_err(ExitError::from_settings)?);
    let signals = SignalQueue::begin_hearing(app.engine()).map_err(ExitError::from_system)?;
    let BoundResources {
        listeners,
        door,
        pidfile,
        ..
    } = bound;
    let (asking, requests) = mpsc::channel(WAITING_REQUESTS);
    let mut place = None;
    let mut conversing = None;
    if let (Some(pidfile), Some(control)) = (pidfile, control) {
        place = Some(DaemonFiles::new(pidfile, control.socket_mover()));
        conversing = Some(app.engine().spawn(control.serve_commands(asking)));
    }
    for note in door.certificate_notes().iter().chain(app.idle_settings()) {
        tracing::warn!("{note}");
    }
    let notifier = launch.notifier;
    let line = launch.arrival.map(|arrival| (arrival.role, arrival.line));
    let system = actix_web::rt::System::new();
    let served = async move {
        let begun = Master::begin_serving(
            started,
            notifier,
            app,
            access_log,
            (listeners, door),
            signals,
        );
        let mut master = begun.await.map_err(ExitError::from_running)?;
        master.place = place;
        announce_ready(&mut master, line).map_err(ExitError::from_system)?;
        let end = master.run(requests).await;
        Ok((end, master))
    };
    let result = system.block_on(async {
        let served = served.await;
        // The last answer is on its way, or nobody is left to answer: either ends the socket.
        if let Some(conversing) = conversing {
            drop(conversing.await);
        }
        served
    });
    let (end, master) = result?;
    if matches!(end, ShutdownKind::Stopped | ShutdownKind::Failed) {
        master.listeners.remove_paths();
    }
    // The next process may begin as soon as the pidfile is free: it needs the addresses.
    drop((master.listeners, system));
    if let Some(place) = master.place
        && end == ShutdownKind::HandedOver
    {
        place.hand_on();
    }
    tracing::info!("ended");
    logging::finish();
    match end {
        ShutdownKind::Failed => Err(ExitError::from_system(
            "the workers have ended by themselves",
        )),
        ShutdownKind::Stopped | ShutdownKind::HandedOver | ShutdownKind::Withdrawn => Ok(()),
    }
}

/// Tells whoever waits for it that the process serves.
fn announce_ready(master: &mut Master, line: Option<(HandoverRole, ParentPipe)>) -> io::Result<()> {
    let (urls, stats) = (master.served_urls(), master.listeners.stats_urls());
    let at_stats = (!stats.is_empty()).then(|| stats.join(" "));
    let folder = master.app.settings.queries_dir.as_deref();
    tracing::info!(
        queries = master.app.catalog.iter().count(),
        folder = folder.map(|folder| folder.display().to_string()),
        at = urls.join(" "),
        stats = at_stats,
        "started"
    );
    let version = env!("CARGO_PKG_VERSION");
    let serves = |url| format!("unslow {version} serves {url}");
    let shows = |url| format!("unslow {version} shows /stats at {url}");
    let mut lines: Vec<_> = urls.iter().map(serves).collect();
    lines.extend(stats.iter().map(shows));
    // A successor is shown already.
    if master.started.flags.open && !matches!(line, Some((HandoverRole::Successor, _))) {
        browser::show_page(&urls);
    }
    match line {
        None => {
            for line in lines {
                print_line(&line);
            }
            master.notifier.notify_ready(&master.state_line());
        }
        Some((HandoverRole::Detached, line)) => {
            let logs = master.app.settings.log.log_files();
            lines.extend(logs.map(|(setting, file)| format!("{setting}: {}", file.display())));
            // One that was given up is not to be found serving later.
            line.report_ready(lines)?;
            line.close();
            leave_the_terminal()?;
        }
        Some((HandoverRole::Successor, line)) => {
            // Where the old process has gone, this one is the daemon.
            drop(line.report_ready(lines));
            if master.started.in_background {
                leave_the_terminal()?;
            }
            master.upgrade = UpgradeState::of_successor(&line);
        }
    }
    Ok(())
}

/// Takes standard streams that lead nowhere, so that whoever waits for their end waits no longer.
fn leave_the_terminal() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&nowhere)?;
    nix::unistd::dup2_stdout(&nowhere)?;
    nix::unistd::dup2_stderr(&nowhere)?;
    Ok(())
}
