//! What the standard variables say
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result};
use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::Sampler;
use reqwest::Url;
use uuid::Uuid;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Where traces go, and which.
pub(crate) struct Settings {
    pub(crate) endpoint: Url,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) sampler: Sampler,
}

impl Settings {
    /// Reads the variables; `None` where no traces are to be sent.
    ///
    /// # Errors
    /// `InvalidRequest` for a variable that says what cannot be done.
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        // An empty variable counts as one that is not set.
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let for_traces = |what: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
            names.into_iter().find_map(|name| get(&name).map(|value| (name, value)))
        };
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match get("OTEL_TRACES_EXPORTER").as_deref() {
            Some("none") => return Ok(None),
            None | Some("otlp") => {}
            Some(other) => return Err(refuse("OTEL_TRACES_EXPORTER", other, "otlp or none")),
        }
        let Some(endpoint) = endpoint(&get)? else { return Ok(None) };
        if let Some((name, protocol)) = for_traces("PROTOCOL").filter(|(_, protocol)| protocol != "http/protobuf") {
            return Err(refuse(&name, &protocol, "http/protobuf, which collectors take at port 4318"));
        }
        let gzip = match for_traces("COMPRESSION") {
            None => false,
            Some((_, value)) if value == "none" => false,
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) => return Err(refuse(&name, &value, "gzip or none")),
        };
        let timeout = match for_traces("TIMEOUT") {
            None => 10_000,
            Some((name, value)) => match value.parse() {
                Ok(millis) if millis > 0 => millis,
                _ => return Err(refuse(&name, &value, "a number of milliseconds")),
            },
        };
        let headers =
            for_traces("HEADERS").map_or_else(|| Ok(HashMap::new()), |(name, value)| headers(&name, &value))?;
        Ok(Some(Self {
            endpoint,
            headers,
            timeout: Duration::from_millis(timeout),
            gzip,
            resource: resource(&get)?,
            sampler: sampler(&get)?,
        }))
    }
}

impl fmt::Debug for Settings {
    /// Without the headers and the address, which hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("timeout", &self.timeout)
            .field("resource", &self.resource)
            .field("sampler", &self.sampler)
            .finish_non_exhaustive()
    }
}

fn endpoint(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Url>> {
    // The one for traces is the whole address; the other one is where the addresses of all signals begin.
    let (name, address) = match (get(TRACES_ENDPOINT), get(ENDPOINT)) {
        (Some(address), _) => (TRACES_ENDPOINT, address),
        (None, Some(base)) => (ENDPOINT, format!("{}/v1/traces", base.trim_end_matches('/'))),
        (None, None) => return Ok(None),
    };
    let url = Url::parse(&address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // The value is not repeated: it may hold a password.
    let message = format!("{name} must be an http or https address, such as http://localhost:4318");
    url.map(Some).ok_or_else(|| Error::new(ErrorKind::InvalidRequest, message))
}

/// `name=value,name=value`, the values percent-encoded.
fn pairs<'a>(name: &str, text: &'a str) -> Result<Vec<(&'a str, String)>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let pair = |entry: &'a str| {
        let (key, value) = entry.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()).then_some((key, decoded(value.trim())?))
    };
    // The text is not repeated: headers hold keys.
    let wrong = || Error::new(ErrorKind::InvalidRequest, format!("{name} must be a list: name=value,name=value"));
    entries.map(|entry| pair(entry).ok_or_else(wrong)).collect()
}

fn headers(name: &str, text: &str) -> Result<HashMap<String, String>> {
    let mut headers = HashMap::new();
    for (key, value) in pairs(name, text)? {
        let is_good = http::HeaderName::try_from(key).is_ok() && http::HeaderValue::try_from(&value).is_ok();
        if !is_good {
            let message = format!("{name} has an entry that cannot be a header");
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        headers.insert(key.to_owned(), value);
    }
    Ok(headers)
}

fn resource(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<KeyValue>> {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let mut resource = vec![
        KeyValue::new("service.name", "mcp-gateway"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
    ];
    // Of two with one name the later counts.
    if let Some(text) = get(ATTRIBUTES) {
        resource.extend(pairs(ATTRIBUTES, &text)?.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)));
    }
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        resource.push(KeyValue::new("service.name", name));
    }
    Ok(resource)
}

fn sampler(get: &impl Fn(&str) -> Option<String>) -> Result<Sampler> {
    const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    let ratio = || match get(ARGUMENT) {
        None => Ok(1.0),
        Some(text) => {
            let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
            ratio.ok_or_else(|| refuse(ARGUMENT, &text, "a number between 0 and 1"))
        }
    };
    let name = get(SAMPLER).unwrap_or_else(|| "parentbased_always_on".to_owned());
    let (root, is_parent_based) = match name.strip_prefix("parentbased_") {
        Some(root) => (root, true),
        None => (name.as_str(), false),
    };
    let root = match root {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio()?),
        _ => {
            let known = "always_on, always_off or traceidratio, each also with parentbased_ before it";
            return Err(refuse(SAMPLER, &name, known));
        }
    };
    Ok(if is_parent_based { Sampler::ParentBased(Box::new(root)) } else { root })
}

fn refuse(name: &str, value: &str, wanted: &str) -> Error {
    let value: String = value.chars().filter(|c| !c.is_control()).take(100).collect();
    Error::new(ErrorKind::InvalidRequest, format!("{name} is {value:?} but must be {wanted}"))
}

/// Percent-decodes; `None` where that gives no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        Settings::read(|name| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned()))
    }

    const HERE: (&str, &str) = (ENDPOINT, "http://localhost:4318");

    #[test]
    fn nothing_is_sent_unless_somebody_says_where_to() {
        for variables in [
            &[][..],
            &[(ENDPOINT, " ")],
            &[("OTEL_SERVICE_NAME", "me"), ("OTEL_TRACES_EXPORTER", "otlp")],
            &[HERE, ("OTEL_SDK_DISABLED", "TRUE")],
            &[HERE, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert!(read(variables).expect("is fine").is_none(), "{variables:?}");
        }
    }

    #[test]
    fn the_variables_are_read() {
        let check = |variables: &[(&str, &str)]| read(variables).expect("is fine").expect("there is an address");
        let plain = check(&[HERE]);
        assert_eq!(plain.endpoint.as_str(), "http://localhost:4318/v1/traces");
        assert_eq!((plain.timeout, plain.gzip), (Duration::from_secs(10), false));
        assert_eq!(check(&[(ENDPOINT, "https://c/otel/")]).endpoint.as_str(), "https://c/otel/v1/traces");
        let all = check(&[
            HERE,
            (TRACES_ENDPOINT, "https://collector/here"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "Authorization=Bearer%20k%3D=, x-b = c "),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_SERVICE_NAME", "mine"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=a%2Cb"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        assert_eq!(all.endpoint.as_str(), "https://collector/here");
        let headers = [("Authorization", "Bearer k=="), ("x-b", "c")];
        assert_eq!(all.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!((all.timeout, all.gzip), (Duration::from_millis(1500), true));
        let last =
            |key: &str| all.resource.iter().rfind(|pair| pair.key.as_str() == key).map(|pair| pair.value.as_str());
        assert_eq!((last("service.name").as_deref(), last("team").as_deref()), (Some("mine"), Some("a,b")));
        assert!(format!("{:?}", all.sampler).contains("0.25"), "{:?}", all.sampler);
        assert!(!format!("{all:?}").contains("Bearer"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let check = |name: &str, value: &str, expected: &str| {
            let error = read(&[(name, value), HERE]).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(name) && error.message().contains(expected), "{error}");
            assert!(!error.message().contains("hush"), "{error}");
        };
        check("OTEL_TRACES_EXPORTER", "jaeger", "otlp or none");
        check("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf");
        check("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd", "gzip or none");
        check("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds");
        check("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds");
        check("OTEL_EXPORTER_OTLP_HEADERS", "hush", "name=value");
        check("OTEL_EXPORTER_OTLP_HEADERS", "x=hush%0A", "cannot be a header");
        check("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "hush@localhost:4318", "http or https");
        check("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://user:hush@c", "http or https");
        check("OTEL_RESOURCE_ATTRIBUTES", "=a", "name=value");
        check("OTEL_TRACES_SAMPLER", "xray", "parentbased_");
        assert!(read(&[HERE, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")]).is_err());
    }
}
