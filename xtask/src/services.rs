//! The databases and brokers that tests talk to: those that listen already, else private ones that end with the tests.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::peers::install_packages;
use crate::process::{find, run};
use crate::service::{GLANCE, Service};

/// How long one may take until it listens. RabbitMQ needs half a minute on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What tests expect on 127.0.0.1.
struct Wanted {
    name: &'static str,
    port: u16,
    /// The Debian package that has it.
    package: &'static str,
    /// Its program, where it is installed.
    program: fn() -> Option<PathBuf>,
    /// Makes what it needs in an empty folder, and says how to start it.
    command: fn(&Path, &Path) -> Result<Command, String>,
}

const WANTED: [Wanted; 4] = [
    Wanted { name: "Redis", port: 6379, package: "redis-server", program: || find("redis-server"), command: redis },
    Wanted { name: "PostgreSQL", port: 5432, package: "postgresql", program: find_postgres, command: postgres },
    Wanted { name: "RabbitMQ", port: 5672, package: "rabbitmq-server", program: find_rabbitmq, command: rabbitmq },
    Wanted { name: "NATS", port: 4222, package: "nats-server", program: || find("nats-server"), command: nats },
];

/// Programs that tests start themselves, and the packages that have them.
const PROGRAMS: [(&str, &str); 3] =
    [("redis-server", "redis-server"), ("nats-server", "nats-server"), ("openssl", "openssl")];

/// The services, for as long as this lives.
#[derive(Debug)]
pub struct Services {
    started: Vec<Service>,
    folder: PathBuf,
    /// What there is, for the summary.
    pub told: Vec<String>,
}

impl Services {
    /// Finds or starts all of them. As root on Debian it installs what is missing; the error says what is.
    pub fn set_up(folder: &Path) -> Result<Self, String> {
        for (program, package) in PROGRAMS {
            if find(program).is_none() {
                install_packages(&[package])
                    .map_err(|why| format!("{program} is missing: install {package} ({why})"))?;
            }
        }
        // Whatever a run that was killed has left there.
        let _ = fs::remove_dir_all(folder);
        let mut services = Self { started: Vec::new(), folder: folder.to_owned(), told: Vec::new() };
        for wanted in &WANTED {
            services.provide(wanted)?;
        }
        Ok(services)
    }

    /// Ends those that were started.
    pub fn stop(self) -> Result<(), String> {
        self.started.into_iter().try_for_each(Service::stop_alone)?;
        let _ = fs::remove_dir_all(&self.folder);
        Ok(())
    }

    fn provide(&mut self, wanted: &Wanted) -> Result<(), String> {
        let Wanted { name, port, package, .. } = *wanted;
        if listens(port) {
            self.told.push(format!("{name} that listened on {port} already"));
            return Ok(());
        }
        if (wanted.program)().is_none() {
            install_packages(&[package]).map_err(|why| {
                format!("{name} neither listens on 127.0.0.1:{port} nor is installed: install {package} ({why})")
            })?;
            // Some packages start what they bring.
            if listens(port) {
                self.told.push(format!("{name} as its package started it"));
                return Ok(());
            }
        }
        let program = (wanted.program)().ok_or_else(|| format!("{package} was installed, yet has no {name}"))?;
        let folder = self.folder.join(name.to_lowercase());
        let failed = |error: std::io::Error| format!("cannot make {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        println!("starting {name} on 127.0.0.1:{port}");
        let service = Service::start(name, &mut (wanted.command)(&program, &folder)?)?;
        self.started.push(service);
        let end = Instant::now() + START_LIMIT;
        while !listens(port) {
            if Instant::now() > end {
                return Err(format!("{name} does not listen on 127.0.0.1:{port}"));
            }
            thread::sleep(GLANCE);
        }
        if name == "PostgreSQL" {
            make_test_database(&program)?;
        }
        self.told.push(format!("{name} of the tests' own on {port}"));
        Ok(())
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).is_ok()
}

fn redis(program: &Path, folder: &Path) -> Result<Command, String> {
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", "6379", "--save", "", "--dir"]).arg(folder);
    Ok(command)
}

fn nats(program: &Path, folder: &Path) -> Result<Command, String> {
    let mut command = Command::new(program);
    command.args(["--addr", "127.0.0.1", "--port", "4222", "--jetstream", "--store_dir"]).arg(folder);
    Ok(command)
}

/// Debian keeps it where no shell looks for it.
fn find_postgres() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let programs = versions.map(|version| version.path().join("bin/postgres")).filter(|program| program.exists());
    programs.max().or_else(|| find("postgres"))
}

fn postgres(program: &Path, folder: &Path) -> Result<Command, String> {
    let data = folder.join("data");
    if geteuid().is_root() {
        run(Command::new("chown").arg("postgres").arg(folder))?;
    }
    let initdb = program.with_file_name("initdb");
    run(as_postgres(&initdb).args(["--auth", "trust", "--username", "postgres", "--no-sync", "--pgdata"]).arg(&data))?;
    let mut command = as_postgres(program);
    command.arg("-D").arg(&data).args(["-p", "5432", "-c", "listen_addresses=127.0.0.1"]);
    command.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
    Ok(command)
}

/// It refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

/// The database and the role that tests name.
fn make_test_database(program: &Path) -> Result<(), String> {
    let psql = program.with_file_name("psql");
    let said = "CREATE ROLE root SUPERUSER LOGIN";
    let psql = |text: &str| {
        let mut command = Command::new(&psql);
        run(command.args(["--quiet", "--host", "127.0.0.1", "--username", "postgres", "--command", text]))
    };
    // Listening is not yet answering.
    let end = Instant::now() + START_LIMIT;
    while let Err(error) = psql(said) {
        if Instant::now() > end {
            return Err(error);
        }
        thread::sleep(GLANCE);
    }
    psql("CREATE DATABASE test")
}

fn find_rabbitmq() -> Option<PathBuf> {
    find("rabbitmq-server").or_else(|| Some(PathBuf::from("/usr/sbin/rabbitmq-server")).filter(|path| path.exists()))
}

fn rabbitmq(program: &Path, folder: &Path) -> Result<Command, String> {
    if geteuid().is_root() {
        // Debian's script becomes this user where it is started as root.
        run(Command::new("chown").arg("rabbitmq").arg(folder))?;
    }
    let mut command = Command::new(program);
    command.env("RABBITMQ_NODENAME", "tests@localhost").env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
    command.env("RABBITMQ_MNESIA_BASE", folder).env("RABBITMQ_LOG_BASE", folder);
    Ok(command)
}
