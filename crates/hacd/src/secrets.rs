//! What stands behind the value `secret:NAME` of a secret parameter: looked up when an agent is run and not before, so that it
//! is in no history and no plan, and that another value restarts nothing.

use std::collections::BTreeMap;

use hac_model::{Configuration, secret_behind, secret_property};

/// Puts the secrets in the place of their names.
///
/// # Errors
/// One sentence with the name that stands for nothing.
pub(crate) fn resolve(params: &mut BTreeMap<String, String>, configuration: &Configuration) -> Result<(), String> {
    for (parameter, value) in params.iter_mut() {
        let Some(name) = secret_behind(parameter, value) else { continue };
        let property = secret_property(name);
        let secret = property.as_deref().and_then(|property| configuration.property(property));
        let Some(secret) = secret.map(str::to_owned) else {
            return Err(format!("there is no secret {name}: 'hacctl secret set {name}'"));
        };
        *value = secret;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hac_model::{NvPair, NvSet, SECRETS};

    use super::*;

    #[test]
    fn a_secret_takes_the_place_of_its_name_and_a_missing_one_is_named() {
        let pair = NvPair { name: "secret-cloud".to_owned(), value: Some("gold".to_owned()), ..NvPair::default() };
        let set = NvSet { id: SECRETS.to_owned(), pairs: vec![pair], ..NvSet::default() };
        let configuration = Configuration { crm_config: vec![set], ..Configuration::default() };
        let given = [("do_token", "secret:cloud"), ("ip", "secret:cloud"), ("password", "plain")];
        let mut params = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(resolve(&mut params, &configuration), Ok(()));
        assert_eq!(params["do_token"], "gold");
        assert_eq!(params["ip"], "secret:cloud", "it is no secret parameter");
        assert_eq!(params["password"], "plain");
        let mut params = BTreeMap::from([("do_token".to_owned(), "secret:other".to_owned())]);
        let why = resolve(&mut params, &configuration).expect_err("there is none");
        assert_eq!(why, "there is no secret other: 'hacctl secret set other'");
    }
}
