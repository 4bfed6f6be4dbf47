//! The layers that values come from, as sources of `config`, which merges them: defaults, ini
//! file, environment, flags. Every value carries its origin. A URL of a database counts here as
//! the parts it is made of, so that the merge itself decides between a URL and single parts.

use std::collections::HashMap;

use config::{Config, ConfigError, Map, Source as ConfigSource, Value, ValueKind};

use super::ini::IniFormat;
use super::origin::{SettingOrigin, SettingSource};
use super::raw_value::ValueError;
use super::service_links::is_service_link;
use super::surroundings::ProcessEnvironment;
use super::table::{self, DefaultContext, SettingRow, SettingSecrecy};
use super::url::{self, UrlPieces};
use crate::error::StartupError;
use crate::flags::Flags;
use crate::text::words::nearest_word;

/// The result of the merge: the text of each setting that has one, with its origin. `None` is a
/// setting that a layer took back.
#[derive(Debug)]
pub(super) struct MergedSettings(Map<String, Value>);

impl MergedSettings {
    pub(super) fn get(&self, row: &SettingRow) -> Option<(Option<&str>, SettingOrigin)> {
        let ValueKind::Table(keys) = &self.0.get(row.section)?.kind else {
            return None;
        };
        let value = keys.get(row.key)?;
        let text = match &value.kind {
            ValueKind::String(text) => Some(text.as_str()),
            _ => None,
        };
        Some((text, SettingOrigin::read(value)))
    }
}

impl MergedSettings {
    /// Returns what the URL of the database says that has no effect.
    pub(super) fn url_notes(&self) -> Vec<String> {
        let url = table::find("postgres", "url").and_then(|row| self.get(row));
        let Some((Some(text), origin)) = url else {
            return Vec::new();
        };
        let pieces = url::split_url(text).unwrap_or_default();
        let notes = pieces.notes.into_iter();
        notes
            .map(|note| format!("{origin}: [postgres] url: {note}"))
            .collect()
    }
}

/// Merges all layers, lowest first.
pub(super) fn merge(
    ini: Option<(IniFormat, String)>,
    ground: &DefaultContext,
    surroundings: &ProcessEnvironment,
    flags: &Flags,
) -> Result<MergedSettings, StartupError> {
    let mut builder = Config::builder().add_source(default_texts(ground));
    if let Some((format, text)) = ini {
        builder = builder.add_source(UnfoldedLayer(config::File::from_str(&text, format)));
    }
    builder
        .add_source(UnfoldedLayer(common_environment(surroundings)))
        .add_source(UnfoldedLayer(own_environment(surroundings)?))
        .add_source(UnfoldedLayer(flag_layer(flags)?))
        .build()
        .and_then(|config| config.collect())
        .map(MergedSettings)
        .map_err(into_startup_error)
}

/// Our own errors come back out of `config` as they went in.
fn into_startup_error(error: ConfigError) -> StartupError {
    let cause = match error {
        ConfigError::FileParse { cause, .. } | ConfigError::Foreign(cause) => cause,
        other => return StartupError::new(other.to_string()),
    };
    match cause.downcast::<StartupError>() {
        Ok(ours) => *ours,
        Err(other) => StartupError::new(other.to_string()),
    }
}

/// A layer whose texts are at hand.
#[derive(Debug, Clone, Default)]
struct LayerTexts(Map<String, Value>);

impl LayerTexts {
    fn add(&mut self, section: &str, key: &str, text: impl Into<String>, source: SettingSource) {
        let value = Value::new(Some(&SettingOrigin::from(source).encode()), text.into());
        let keys = self
            .0
            .entry(section.to_owned())
            .or_insert_with(|| Value::new(None, Map::<String, Value>::new()));
        if let ValueKind::Table(keys) = &mut keys.kind {
            keys.insert(key.to_owned(), value);
        }
    }
}

impl ConfigSource for LayerTexts {
    fn clone_into_box(&self) -> Box<dyn ConfigSource + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn default_texts(ground: &DefaultContext) -> LayerTexts {
    let mut layer = LayerTexts::default();
    for row in table::all_settings() {
        if let Some(text) = row.default_text(ground) {
            layer.add(row.section, row.key, text, SettingSource::Default);
        }
    }
    layer
}

/// Returns the variables that many programs know. An empty one counts as not set, as they often are
/// where one template serves several machines.
fn common_environment(surroundings: &ProcessEnvironment) -> LayerTexts {
    let mut layer = LayerTexts::default();
    for (name, text) in &surroundings.environment {
        let source = || SettingSource::Environment(name.clone());
        match name.as_str() {
            _ if text.is_empty() => {}
            "DATABASE_URL" => layer.add("postgres", "url", text, source()),
            "REDIS_URL" => layer.add("redis", "url", text, source()),
            "PORT" => layer.add("server", "bind", format!("0.0.0.0:{text}"), source()),
            // Other programs put other things into DEBUG; those are not meant for this one.
            "DEBUG" if ["1", "t", "true", "y", "yes"].contains(&text.to_lowercase().as_str()) => {
                layer.add("server", "debug", "true", source());
            }
            _ => {}
        }
    }
    layer
}

fn own_environment(surroundings: &ProcessEnvironment) -> Result<LayerTexts, StartupError> {
    let known: HashMap<String, &SettingRow> = table::all_settings()
        .map(|row| (row.variable_name(), row))
        .collect();
    let mut layer = LayerTexts::default();
    for (name, text) in &surroundings.environment {
        if !name.starts_with("UNSLOW_") || is_service_link(name, text) {
            continue;
        }
        let Some(row) = known.get(name) else {
            let remedy = match nearest_word(name, known.keys().map(String::as_str)) {
                Some(near) => format!("did you mean {near}? If not, unset it"),
                None => "unset it; the names are UNSLOW_SECTION_KEY".to_owned(),
            };
            let what = "there is no setting of this name";
            return Err(StartupError::new(what)
                .at_place(format!("environment {name}"))
                .with_remedy(remedy));
        };
        layer.add(
            row.section,
            row.key,
            text,
            SettingSource::Environment(name.clone()),
        );
    }
    Ok(layer)
}

fn flag_layer(flags: &Flags) -> Result<LayerTexts, StartupError> {
    let mut layer = LayerTexts::default();
    for row in table::all_settings() {
        let Some(long) = row.flag.map(|flag| flag.long) else {
            continue;
        };
        if let Some(values) = flags.flag_values(long) {
            let source = SettingSource::Flag(format!("--{long}"));
            if row.secrecy == SettingSecrecy::Url
                && values.iter().any(|url| url::holds_password(url))
            {
                return Err(password_in_flag(row, source));
            }
            layer.add(row.section, row.key, row.join_values(values), source);
        }
    }
    Ok(layer)
}

/// Returns the error for a URL with a password that was given as a flag. Every user of the machine
/// can read the flags of a process.
fn password_in_flag(row: &SettingRow, source: SettingSource) -> StartupError {
    let mut remedy = format!(
        "put the URL into the environment as {}, or into the settings file as {}",
        row.variable_name(),
        row.name()
    );
    if row.section == "postgres" {
        remedy.push_str("; or leave the password out and add --db-password-file FILE");
    }
    let why = "holds a password, which every user of this machine could read in the list of \
               processes";
    super::refusal::refused_setting(
        row.section,
        row.key,
        &SettingOrigin::from(source),
        &ValueError::new(why, remedy),
    )
}

/// A layer in which a URL has become its parts: those that it names, and for the rest of what it
/// replaces the taking back of whatever a lower layer says.
#[derive(Debug, Clone)]
struct UnfoldedLayer<S>(S);

impl<S: ConfigSource + Clone + Send + Sync + 'static> ConfigSource for UnfoldedLayer<S> {
    fn clone_into_box(&self) -> Box<dyn ConfigSource + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut layer = self.0.collect()?;
        for (section, unfold) in [
            ("postgres", split_postgres as LayerUnfold),
            ("redis", split_redis as LayerUnfold),
        ] {
            if let Some(ValueKind::Table(keys)) = layer.get_mut(section).map(|v| &mut v.kind) {
                unfold(keys).map_err(|error| ConfigError::Foreign(Box::new(error)))?;
            }
        }
        Ok(layer)
    }
}

type LayerUnfold = fn(&mut Map<String, Value>) -> Result<(), StartupError>;

fn split_postgres(keys: &mut Map<String, Value>) -> Result<(), StartupError> {
    one_password(keys)?;
    let Some((text, origin)) = url_of(keys) else {
        return Ok(());
    };
    let pieces = if text.is_empty() {
        Ok(UrlPieces::default())
    } else {
        url::split_url(&text)
    };
    let pieces = pieces
        .map_err(|fault| super::refusal::refused_setting("postgres", "url", &origin, &fault))?;
    let replaced = [
        ("host", pieces.host),
        ("port", pieces.port),
        ("database", pieces.database),
        ("user", pieces.user),
        ("password", pieces.password),
        ("password_file", None),
        ("options", pieces.options),
    ];
    // How far a server is trusted stays as a lower layer says, unless the URL speaks of it: a URL
    // that only moves the database must not turn a check of certificates off.
    let kept = [
        ("sslmode", pieces.sslmode),
        ("connect_timeout", pieces.connect_timeout),
        ("application_name", pieces.application_name),
        ("sslrootcert", pieces.sslrootcert),
    ];
    let kept = kept.into_iter().filter(|(_, text)| text.is_some());
    for (key, text) in replaced.into_iter().chain(kept) {
        fill_key(keys, key, text, &origin.inside_url());
    }
    Ok(())
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "it stands beside `postgres`, which can fail"
)]
fn split_redis(keys: &mut Map<String, Value>) -> Result<(), StartupError> {
    if let Some((_, origin)) = url_of(keys) {
        fill_key(keys, "password_file", None, &origin.inside_url());
    }
    Ok(())
}

fn url_of(keys: &Map<String, Value>) -> Option<(String, SettingOrigin)> {
    let value = keys.get("url")?;
    Some((
        value.clone().into_string().ok()?,
        SettingOrigin::read(value),
    ))
}

/// Sets what the layer itself does not say.
fn fill_key(
    keys: &mut Map<String, Value>,
    key: &str,
    text: Option<String>,
    origin: &SettingOrigin,
) {
    keys.entry(key.to_owned())
        .or_insert_with(|| Value::new(Some(&origin.encode()), ValueKind::from(text)));
}

/// Lets a password and the file of one take the place of each other; one layer names one of them.
fn one_password(keys: &mut Map<String, Value>) -> Result<(), StartupError> {
    let origin = |key: &str| keys.get(key).map(SettingOrigin::read);
    match (origin("password"), origin("password_file")) {
        (Some(password), Some(_)) => {
            let what = "both password and password_file are given";
            let error =
                StartupError::new(what).at_place(format!("{password}: [postgres] password"));
            return Err(error.with_remedy("keep one of the two"));
        }
        (Some(origin), None) => fill_key(keys, "password_file", None, &origin),
        (None, Some(origin)) => fill_key(keys, "password", None, &origin),
        (None, None) => {}
    }
    Ok(())
}
