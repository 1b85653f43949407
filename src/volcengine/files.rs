//! The files in which the vendor's own tools keep their keys: `~/.volc/credentials` (INI), then `~/.volc/config` (JSON).
//! docs/VENDORS.md, Quotas. Read when a client is made, and only when asked for.

use std::env;
use std::path::{Path, PathBuf};

use configparser::ini::Ini;

use super::Credentials;
use crate::config::{VOLCENGINE_ACCESS_KEY, VOLCENGINE_CREDENTIALS_SOURCE, VOLCENGINE_SECRET_KEY, check_credential};
use crate::error::Error;
use crate::secret::Secret;
use crate::util::json;
use crate::util::text_file;

pub(super) fn credentials() -> Result<Credentials, Error> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| refuse("HOME is not set, so there is no ~/.volc to read"))?;
    in_folder(&PathBuf::from(home).join(".volc"))
}

fn in_folder(folder: &Path) -> Result<Credentials, Error> {
    let (ini, json) = (folder.join("credentials"), folder.join("config"));
    let (path, pair) = if ini.is_file() {
        let pair = of_ini(&read(&ini)?);
        (ini, pair)
    } else if json.is_file() {
        let pair = of_json(&read(&json)?);
        (json, pair)
    } else {
        return Err(refuse(format!(
            "neither {} nor {} is there",
            ini.display(),
            json.display()
        )));
    };
    // The texts of parsers may quote the file, so the errors below have none of it.
    let (access_key, secret_key) = pair.map_err(|why| refuse(format!("{}: {why}", path.display())))?;
    let credentials = Credentials {
        access_key: access_key.expose().to_owned(),
        secret_key,
        session_token: Secret::default(),
    };
    check(&credentials).map_err(|error| refuse(format!("{}: {}: {}", path.display(), error.field, error.text)))?;
    Ok(credentials)
}

fn check(credentials: &Credentials) -> Result<(), Error> {
    const SECRET_KEY: &str = "secret key";
    check_credential(&VOLCENGINE_ACCESS_KEY, "access key", &credentials.access_key)?;
    check_credential(&VOLCENGINE_SECRET_KEY, SECRET_KEY, credentials.secret_key.expose())?;
    credentials.check_places(SECRET_KEY, "session token")
}

fn of_ini(text: &Secret) -> Result<(Secret, Secret), &'static str> {
    let mut ini = Ini::new_cs();
    // As the vendor's tools read it: a comment has a line of its own, so that a key may hold any character.
    ini.set_inline_comment_symbols(Some(&[]));
    ini.read(text.expose().to_owned()).map_err(|_| "no INI file")?;
    let value = |name| ini.get("default", name).map(Secret::new);
    let access_key = value("access_key_id").ok_or("no access_key_id in [default]")?;
    Ok((
        access_key,
        value("secret_access_key").ok_or("no secret_access_key in [default]")?,
    ))
}

fn of_json(text: &Secret) -> Result<(Secret, Secret), &'static str> {
    // Read as it is: a secret with a character replaced would be another secret.
    let members = json::members(text.expose()).map_err(|_| "no JSON object")?;
    let value = |name| {
        let (_, value) = members.iter().find(|(key, _)| key == name)?;
        serde_json::from_str::<String>(value.get()).ok().map(Secret::new)
    };
    Ok((
        value("ak").ok_or("no \"ak\" in it")?,
        value("sk").ok_or("no \"sk\" in it")?,
    ))
}

fn read(path: &Path) -> Result<Secret, Error> {
    text_file::read(path)
        .and_then(|bytes| {
            // Without taking the bytes: they are wiped also if they are not UTF-8.
            let text = std::str::from_utf8(&bytes).map_err(|_| "the file is not in UTF-8".to_owned())?;
            Ok(Secret::new(text))
        })
        .map_err(|why| refuse(format!("{}: {why}", path.display())))
}

fn refuse(why: impl Into<String>) -> Error {
    Error::not_configured(VOLCENGINE_CREDENTIALS_SOURCE.key, why)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    const INI: &str = "[other]\naccess_key_id = no\n[default]\naccess_key_id = AKLT1\nsecret_access_key = WkR;#+/==\n";

    #[test]
    fn the_ini_file_goes_before_the_json_file() {
        let json = r#"{"ak": "AKLT2", "sk": "hunter2", "region": "x"}"#;
        let both = in_folder(folder(&[("credentials", INI), ("config", json)]).path()).unwrap();
        assert_eq!(
            (both.access_key.as_str(), both.secret_key.expose()),
            ("AKLT1", "WkR;#+/==")
        );
        let one = in_folder(folder(&[("config", json)]).path()).unwrap();
        assert_eq!((one.access_key.as_str(), one.secret_key.expose()), ("AKLT2", "hunter2"));
    }

    #[test]
    fn a_byte_order_mark_before_the_text_is_no_part_of_it() {
        for (name, text) in [
            ("credentials", INI),
            ("config", r#"{"ak": "AKLT1", "sk": "WkR;#+/=="}"#),
        ] {
            let marked = format!("\u{FEFF}{text}");
            let read = in_folder(folder(&[(name, &marked)]).path()).unwrap();
            assert_eq!(
                (read.access_key.as_str(), read.secret_key.expose()),
                ("AKLT1", "WkR;#+/=="),
                "{name}"
            );
        }
    }

    #[test]
    fn a_file_in_utf_16_is_refused_by_name() {
        for name in ["credentials", "config"] {
            let folder = folder(&[]);
            let bytes: Vec<u8> = "\u{FEFF}hunter2".encode_utf16().flat_map(u16::to_le_bytes).collect();
            fs::write(folder.path().join(name), bytes).unwrap();
            let error = in_folder(folder.path()).unwrap_err();
            assert!(error.text.contains("UTF-16"), "{error}");
        }
    }

    #[test]
    fn exchanged_keys_are_refused_and_not_repeated() {
        for (name, text) in [
            (
                "credentials",
                "[default]\naccess_key_id = hunter2\nsecret_access_key = AKLT1\n",
            ),
            ("config", r#"{"ak": "hunter2", "sk": "AKTP1"}"#),
        ] {
            let error = in_folder(folder(&[(name, text)]).path()).unwrap_err();
            assert_eq!(error.field, "volcengine.credentials_source");
            assert!(error.text.contains("secret key: begins with AKLT or AKTP"), "{error}");
            assert!(
                !error.text.contains("hunter2") && !error.text.contains("AKTP1"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_what_is_in_it() {
        for (test, name, text) in [
            ("none", "unrelated", ""),
            ("no-section", "credentials", "[x]\naccess_key_id = hunter2\n"),
            ("no-key", "credentials", "[default]\nsecret_access_key = hunter2\n"),
            ("no-secret", "credentials", "[default]\naccess_key_id = hunter2\n"),
            (
                "empty",
                "credentials",
                "[default]\naccess_key_id = hunter2\nsecret_access_key =\n",
            ),
            ("no-json", "config", "{hunter2"),
            ("no-sk", "config", r#"{"ak": "hunter2"}"#),
        ] {
            let error = in_folder(folder(&[(name, text)]).path()).expect_err(test);
            assert_eq!(error.field, "volcengine.credentials_source", "{test}");
            assert!(!error.text.contains("hunter2"), "{test}: {error}");
        }
    }
}
