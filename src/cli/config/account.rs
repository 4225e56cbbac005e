//! What one `[[account]]` means: which keys its provider needs and which belong to others.

use std::ops::Range;
use std::path::Path;

use crate::domain::account::{Account, ProviderKind};
use crate::domain::calendar::Window;
use crate::domain::id::{AccountName, FiscalId};
use chrono::NaiveDate;
use toml::Spanned;

use super::meaning::window;
use super::secret::SecretSource;
use super::{Source, typed, url};
use crate::cli::trouble::Trouble;

/// An account: what the core knows of it, and how to reach its provider.
#[derive(Debug, Clone)]
pub struct ConfiguredAccount {
    /// What intake and planning see.
    pub account: Account,
    /// Where its provider is.
    pub endpoint: Endpoint,
    /// Its token or password.
    pub secret: SecretSource,
    /// 0: no limit.
    pub requests_per_minute: u32,
    /// When the authority's password was last changed.
    pub credentials_changed: Option<NaiveDate>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// With what its provider calls back; none: it does not.
    pub callback_secret: Option<SecretSource>,
}

/// Where a provider is, and as whom we come. Addresses end without a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Openapi.
    Openapi { base_url: String },
    /// A-Cube Smart Receipt.
    SmartReceipt { base_url: String, login_url: String, email: String },
    /// Stamp.
    Stamp(Box<Stamp>),
}

/// Where Stamp is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Login.
    pub merchant_api_url: String,
    /// Invoices.
    pub invoicing_api_url: String,
    /// Where the merchant completes a draft.
    pub merchant_portal_url: String,
    /// Who logs in.
    pub email: String,
    /// `dd/MM/yyyy HH:mm:ss` instead of ISO (PROVIDERS.md 1.5, item 1).
    pub slashes: bool,
    /// Paths that differ from the provider's document, by the name of the call.
    pub paths: Vec<(&'static str, String)>,
}

/// Judges one `[[account]]`.
pub(super) struct AccountReader<'a> {
    pub source: &'a Source<'a>,
    /// Where the account stands in the text.
    pub span: Range<usize>,
    /// Files are named relative to this.
    pub folder: &'a Path,
    /// The blackout of `[dispatch]`, if one is written there.
    pub everywhere: Option<Window>,
}

impl AccountReader<'_> {
    /// The account, and where its name stands.
    pub fn read(&self, typed: typed::Account) -> Result<(ConfiguredAccount, usize), Trouble> {
        let name_text = self.needed(&typed.name, "name", "an account")?;
        let name: AccountName = self.parsed(name_text)?;
        let provider: ProviderKind =
            self.parsed(self.needed(&typed.provider, "provider", &format!("the account {name}"))?)?;
        let reader = ForProvider { reader: self, provider, name: &name };
        let (endpoint, secret) = reader.endpoint(&typed)?;
        let account = Account {
            name: name.clone(),
            provider,
            fiscal_ids: reader.fiscal_ids(&typed.fiscal_ids)?,
            blackout: match &typed.blackout {
                Some(text) => window(self.source, text)?,
                None => default_window(provider, self.everywhere),
            },
        };
        let judged = ConfiguredAccount {
            account,
            endpoint,
            secret: secret.in_folder(self.folder),
            requests_per_minute: typed.requests_per_minute.map_or(0, Spanned::into_inner),
            credentials_changed: typed.credentials_changed.as_ref().map(|value| self.date(value)).transpose()?,
            proxy: typed.proxy.as_ref().map(|text| self.proxy(text)).transpose()?,
            callback_secret: typed.callback_secret.map(|secret| secret.into_inner().in_folder(self.folder)),
        };
        Ok((judged, name_text.span().start))
    }

    fn at(&self, byte: usize, what: &str) -> Trouble {
        self.source.at(byte, what)
    }

    fn needed<'t, T>(&self, typed: &'t Option<Spanned<T>>, key: &str, of: &str) -> Result<&'t Spanned<T>, Trouble> {
        typed.as_ref().ok_or_else(|| self.at(self.span.start, &format!("{of} needs {key}: add a line `{key} = …`")))
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, text: &Spanned<String>) -> Result<T, Trouble> {
        text.get_ref().parse().map_err(|error| self.at(text.span().start, &format!("\"{}\": {error}", text.get_ref())))
    }

    fn date(&self, value: &Spanned<toml::Value>) -> Result<NaiveDate, Trouble> {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Datetime(date) => date.to_string(),
            _ => String::new(),
        };
        text.parse().map_err(|_| {
            self.at(
                value.span().start,
                "credentials_changed must be a day like \"2026-10-01\": when it was last changed",
            )
        })
    }

    /// A proxy may be plain http anywhere: what passes through it is https all the same.
    fn proxy(&self, text: &Spanned<String>) -> Result<String, Trouble> {
        let address = text.get_ref();
        let sound =
            ["http://", "https://"].iter().any(|scheme| address.strip_prefix(scheme).is_some_and(|s| !s.is_empty()))
                && address.bytes().all(|b| b.is_ascii_graphic())
                && !address.contains('@');
        match sound {
            true => Ok(address.clone()),
            false => {
                Err(self
                    .at(text.span().start, "proxy must be an address like \"http://proxy:3128\", without user name"))
            }
        }
    }
}

/// The authority's window with each provider's own margin; any other window that `[dispatch]` names is taken as it is.
fn default_window(provider: ProviderKind, everywhere: Option<Window>) -> Window {
    match (everywhere, provider) {
        (None | Some(Window::AUTHORITY), ProviderKind::SmartReceipt) => Window::SMART_RECEIPT,
        (None, _) => Window::AUTHORITY,
        (Some(window), _) => window,
    }
}

/// Judges what depends on the provider.
struct ForProvider<'a> {
    reader: &'a AccountReader<'a>,
    provider: ProviderKind,
    name: &'a AccountName,
}

impl ForProvider<'_> {
    fn endpoint(&self, typed: &typed::Account) -> Result<(Endpoint, SecretSource), Trouble> {
        use ProviderKind::{Openapi, SmartReceipt, Stamp as StampKind};
        self.only(&typed.base_url, "base_url", &[Openapi, SmartReceipt])?;
        self.only(&typed.token, "token", &[Openapi])?;
        self.only(&typed.login_url, "login_url", &[SmartReceipt])?;
        self.only(&typed.email, "email", &[SmartReceipt, StampKind])?;
        self.only(&typed.password, "password", &[SmartReceipt, StampKind])?;
        self.only(&typed.merchant_api_url, "merchant_api_url", &[StampKind])?;
        self.only(&typed.invoicing_api_url, "invoicing_api_url", &[StampKind])?;
        self.only(&typed.merchant_portal_url, "merchant_portal_url", &[StampKind])?;
        self.only(&typed.created_on_format, "created_on_format", &[StampKind])?;
        self.only(&typed.paths, "paths", &[StampKind])?;
        let secret = |secret: &Spanned<SecretSource>| secret.get_ref().clone();
        Ok(match self.provider {
            Openapi => {
                let base_url = self.url(&typed.base_url, "base_url")?;
                (Endpoint::Openapi { base_url }, secret(self.needed(&typed.token, "token")?))
            }
            SmartReceipt => {
                let endpoint = Endpoint::SmartReceipt {
                    base_url: self.url(&typed.base_url, "base_url")?,
                    login_url: self.url(&typed.login_url, "login_url")?,
                    email: self.text(&typed.email, "email")?,
                };
                (endpoint, secret(self.needed(&typed.password, "password")?))
            }
            StampKind => {
                let stamp = Stamp {
                    merchant_api_url: self.url(&typed.merchant_api_url, "merchant_api_url")?,
                    invoicing_api_url: self.url(&typed.invoicing_api_url, "invoicing_api_url")?,
                    merchant_portal_url: self.url(&typed.merchant_portal_url, "merchant_portal_url")?,
                    email: self.text(&typed.email, "email")?,
                    slashes: self.slashes(&typed.created_on_format)?,
                    paths: typed
                        .paths
                        .as_ref()
                        .map(|paths| self.paths(paths.get_ref()))
                        .transpose()?
                        .unwrap_or_default(),
                };
                (Endpoint::Stamp(Box::new(stamp)), secret(self.needed(&typed.password, "password")?))
            }
        })
    }

    fn needed<'t, T>(&self, typed: &'t Option<Spanned<T>>, key: &str) -> Result<&'t Spanned<T>, Trouble> {
        self.reader.needed(typed, key, &format!("the {} account {}", self.provider, self.name))
    }

    /// Refuses a key that belongs to other providers.
    fn only<T>(&self, typed: &Option<Spanned<T>>, key: &str, of: &[ProviderKind]) -> Result<(), Trouble> {
        match typed {
            Some(value) if !of.contains(&self.provider) => {
                let others = of.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and ");
                let what = format!("{key} belongs to {others} accounts, {} is {}: remove it", self.name, self.provider);
                Err(self.reader.at(value.span().start, &what))
            }
            _ => Ok(()),
        }
    }

    fn url(&self, typed: &Option<Spanned<String>>, key: &str) -> Result<String, Trouble> {
        let text = self.needed(typed, key)?;
        url::check(text.get_ref()).map_err(|what| self.reader.at(text.span().start, &format!("{key}: {what}")))
    }

    fn text(&self, typed: &Option<Spanned<String>>, key: &str) -> Result<String, Trouble> {
        let text = self.needed(typed, key)?;
        match text.get_ref().trim() {
            "" => Err(self.reader.at(text.span().start, &format!("{key} is empty: fill it in"))),
            sound => Ok(sound.to_owned()),
        }
    }

    fn slashes(&self, typed: &Option<Spanned<String>>) -> Result<bool, Trouble> {
        match typed.as_ref().map(|text| text.get_ref().as_str()) {
            None | Some("iso") => Ok(false),
            Some("slashes") => Ok(true),
            Some(_) => {
                let at = typed.as_ref().map_or(self.reader.span.start, |text| text.span().start);
                Err(self.reader.at(at, "created_on_format must be \"iso\" or \"slashes\" (25/12/2018 10:30:00)"))
            }
        }
    }

    fn paths(&self, typed: &typed::StampPaths) -> Result<Vec<(&'static str, String)>, Trouble> {
        let all = [
            ("sign", &typed.sign),
            ("draft", &typed.draft),
            ("pdf", &typed.pdf),
            ("note_pdf", &typed.note_pdf),
            ("customer", &typed.customer),
            ("status", &typed.status),
            ("crf0", &typed.crf0),
            ("debit_number", &typed.debit_number),
            ("credit_goods_number", &typed.credit_goods_number),
            ("credit_vat_number", &typed.credit_vat_number),
            ("cancel", &typed.cancel),
        ];
        let mut paths = Vec::new();
        for (name, text) in all {
            let Some(text) = text else { continue };
            let path = text.get_ref();
            let about_one = !matches!(name, "sign" | "draft");
            let sound = !path.is_empty()
                && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~{}".contains(&b))
                && !path.replace("{id}", "").contains(['{', '}'])
                && path.contains("{id}") == about_one;
            if !sound {
                let example = if about_one { "/api/invoices/{id}/…" } else { "/api/…" };
                return Err(self.reader.at(text.span().start, &format!("the path {name} must be like \"{example}\"")));
            }
            paths.push((name, path.trim_start_matches('/').to_owned()));
        }
        Ok(paths)
    }

    fn fiscal_ids(&self, typed: &Option<Spanned<Vec<Spanned<String>>>>) -> Result<Vec<FiscalId>, Trouble> {
        let list = match typed {
            None if self.provider == ProviderKind::Stamp => return Ok(Vec::new()),
            _ => self.needed(typed, "fiscal_ids")?,
        };
        if self.provider == ProviderKind::Stamp && !list.get_ref().is_empty() {
            let what = format!("fiscal_ids belongs to receipt accounts, {} is stamp: remove it", self.name);
            return Err(self.reader.at(list.span().start, &what));
        }
        if self.provider != ProviderKind::Stamp && list.get_ref().is_empty() {
            let what = format!("fiscal_ids of {} is empty: name the VAT numbers whose receipts it takes", self.name);
            return Err(self.reader.at(list.span().start, &what));
        }
        let mut ids: Vec<FiscalId> = Vec::new();
        for text in list.get_ref() {
            let id: FiscalId = self.reader.parsed(text)?;
            if ids.contains(&id) {
                return Err(self
                    .reader
                    .at(text.span().start, &format!("the fiscal id {id} stands there twice: remove one")));
            }
            ids.push(id);
        }
        Ok(ids)
    }
}
