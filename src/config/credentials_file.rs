//! The files in which Volcengine's own tools keep their keys: `~/.volc/credentials` (INI), or else `~/.volc/config` (JSON).
//! docs/VENDORS.md, Quotas. They are read when a client is made, and only if the settings ask for them.

use std::env;
use std::path::{Path, PathBuf};

use configparser::ini::Ini;

use super::settings::{VOLCENGINE_ACCESS_KEY, VOLCENGINE_CREDENTIALS_SOURCE, VOLCENGINE_SECRET_KEY};
use super::values::check_credential;
use crate::error::Error;
use crate::secret::Secret;
use crate::util::json;
use crate::util::text_file;

/// The two keys of a file, each a valid value of its setting.
#[derive(Debug)]
pub(crate) struct FileKeys {
    path: PathBuf,
    pub access_key: String,
    pub secret_key: Secret,
}

impl FileKeys {
    /// Reads the file in the home folder of this process.
    pub fn read() -> Result<FileKeys, Error> {
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        let home = home.ok_or_else(|| refuse("HOME is not set, so the library cannot find ~/.volc"))?;
        FileKeys::read_from(&PathBuf::from(home).join(".volc"))
    }

    fn read_from(folder: &Path) -> Result<FileKeys, Error> {
        let (ini, json) = (folder.join("credentials"), folder.join("config"));
        let (path, pair) = if ini.is_file() {
            let pair = parse_ini(&read(&ini)?);
            (ini, pair)
        } else if json.is_file() {
            let pair = parse_json(&read(&json)?);
            (json, pair)
        } else {
            return Err(refuse(format!(
                "neither {} nor {} exists",
                ini.display(),
                json.display()
            )));
        };
        // The error of a parser may quote the file, so the reasons are texts of our own.
        let (access_key, secret_key) = pair.map_err(|why| refuse(format!("{}: {why}", path.display())))?;
        let keys = FileKeys {
            path,
            access_key: access_key.expose().to_owned(),
            secret_key,
        };
        keys.check().map_err(|error| keys.refusal(&error))?;
        Ok(keys)
    }

    fn check(&self) -> Result<(), Error> {
        check_credential(&VOLCENGINE_ACCESS_KEY, "access key", &self.access_key)?;
        check_credential(&VOLCENGINE_SECRET_KEY, "secret key", self.secret_key.expose())
    }

    /// The error of a client whose keys are these, if `error` says what is wrong with one of them.
    pub fn refusal(&self, error: &Error) -> Error {
        refuse(format!("{}: {}: {}", self.path.display(), error.field, error.message))
    }

    #[cfg(test)]
    pub fn for_test(access_key: &str, secret_key: &str) -> FileKeys {
        FileKeys {
            path: PathBuf::from("test"),
            access_key: access_key.to_owned(),
            secret_key: Secret::new(secret_key),
        }
    }
}

fn parse_ini(text: &Secret) -> Result<(Secret, Secret), &'static str> {
    let mut ini = Ini::new_cs();
    // The vendor's tools know comments only on lines of their own, so a key may hold any character.
    ini.set_inline_comment_symbols(Some(&[]));
    ini.read(text.expose().to_owned()).map_err(|_| "not an INI file")?;
    let value = |name| ini.get("default", name).map(Secret::new);
    let access_key = value("access_key_id").ok_or("access_key_id is missing in [default]")?;
    Ok((
        access_key,
        value("secret_access_key").ok_or("secret_access_key is missing in [default]")?,
    ))
}

fn parse_json(text: &Secret) -> Result<(Secret, Secret), &'static str> {
    // A damaged character is not replaced, since the result would be another secret.
    let members = json::members(text.expose()).map_err(|_| "not a JSON object")?;
    let value = |name| {
        let (_, value) = members.iter().find(|(key, _)| key == name)?;
        serde_json::from_str::<String>(value.get()).ok().map(Secret::new)
    };
    Ok((
        value("ak").ok_or("\"ak\" is missing")?,
        value("sk").ok_or("\"sk\" is missing")?,
    ))
}

fn read(path: &Path) -> Result<Secret, Error> {
    text_file::read(path)
        .and_then(|bytes| {
            // The bytes are borrowed, so that they are wiped also if they are not UTF-8.
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
        let both = FileKeys::read_from(folder(&[("credentials", INI), ("config", json)]).path()).unwrap();
        assert_eq!(
            (both.access_key.as_str(), both.secret_key.expose()),
            ("AKLT1", "WkR;#+/==")
        );
        let one = FileKeys::read_from(folder(&[("config", json)]).path()).unwrap();
        assert_eq!((one.access_key.as_str(), one.secret_key.expose()), ("AKLT2", "hunter2"));
    }

    #[test]
    fn a_byte_order_mark_before_the_text_is_no_part_of_it() {
        for (name, text) in [
            ("credentials", INI),
            ("config", r#"{"ak": "AKLT1", "sk": "WkR;#+/=="}"#),
        ] {
            let marked = format!("\u{FEFF}{text}");
            let read = FileKeys::read_from(folder(&[(name, &marked)]).path()).unwrap();
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
            let error = FileKeys::read_from(folder.path()).unwrap_err();
            assert!(error.message.contains("UTF-16"), "{error}");
        }
    }

    #[test]
    fn an_error_about_a_file_repeats_nothing_of_it() {
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
            let error = FileKeys::read_from(folder(&[(name, text)]).path()).expect_err(test);
            assert_eq!(error.field, "volcengine.credentials_source", "{test}");
            assert!(!error.message.contains("hunter2"), "{test}: {error}");
        }
    }
}
