use super::dataset_name::DatasetName;
use super::listing::{choose, parquet_listing, tree_listing};

fn named(source: &str) -> DatasetName {
    DatasetName::parse(source).unwrap()
}

fn files(source: &str, body: &str) -> Result<Vec<String>, String> {
    let listing = parquet_listing(&named(source), body.as_bytes()).unwrap();
    let files = choose(&named(source), listing).map_err(|failure| failure.cause + " / " + &failure.remedy)?;
    Ok(files.into_iter().map(|file| file.name).collect())
}

#[test]
fn a_name_is_read_into_its_parts() {
    let all = named("hf://datasets/acme/asks/en/test@refs/convert/parquet");
    assert_eq!((all.owner.as_str(), all.name.as_str()), ("acme", "asks"));
    assert_eq!((all.config.as_deref(), all.split.as_deref()), (Some("en"), Some("test")));
    assert_eq!(all.revision.as_deref(), Some("refs/convert/parquet"));
    assert_eq!(named("hf://datasets/acme/asks/").config, None);
    for wrong in [
        "hf://acme/asks",
        "hf://datasets/acme",
        "hf://datasets/acme/",
        "hf://datasets/acme/..",
        "hf://datasets/acme/asks//train",
        "hf://datasets/acme/asks@",
        "hf://datasets/acme/asks?x=1",
        "hf://datasets/a/b/c/d/e",
    ] {
        assert!(DatasetName::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn one_configuration_and_one_split_are_chosen_or_asked_for() {
    let one = r#"{"x":{"test":["https://h/test/0.parquet"],"train":["https://h/0.parquet?a=1","https://h/1.parquet"]}}"#;
    assert_eq!(files("hf://datasets/a/b", one).unwrap(), ["x/train/0.parquet", "x/train/1.parquet"]);
    assert_eq!(files("hf://datasets/a/b/x/test", one).unwrap(), ["x/test/0.parquet"]);
    let two = r#"{"de":{"one":["https://h/0.parquet"]},"en":{"one":["https://h/0.parquet"]}}"#;
    let asked = files("hf://datasets/a/b", two).unwrap_err();
    assert!(asked.contains("more than one configuration") && asked.contains("`de`, `en`"), "{asked}");
    assert_eq!(files("hf://datasets/a/b/en", two).unwrap(), ["en/one/0.parquet"]);
    assert!(files("hf://datasets/a/b/fr", two).unwrap_err().contains("no configuration `fr`"));
    let usual = r#"{"default":{"dev":["https://h/0.parquet"],"test":["https://h/0.parquet"]},"x":{}}"#;
    assert!(files("hf://datasets/a/b", usual).unwrap_err().contains("`dev`, `test`"));
    assert!(files("hf://datasets/a/b", "{}").unwrap_err().contains("no Parquet files"));
}

#[test]
fn a_revision_lists_the_files_of_the_repository() {
    let dataset = named("hf://datasets/a/b@v1");
    let body = br#"[{"type":"file","path":"README.md"},
        {"type":"file","path":"data/train-00000-of-00001.parquet","lfs":{"oid":"ab","size":3}},
        {"type":"file","path":"en/test/0000.parquet"},{"type":"file","path":"top.parquet"}]"#;
    let listing = tree_listing(&dataset, "v1", body).unwrap();
    let places: Vec<_> = listing
        .iter()
        .flat_map(|(config, splits)| splits.keys().map(move |split| format!("{config}/{split}")))
        .collect();
    assert_eq!(places, ["default/top", "default/train", "en/test"]);
    let chosen = choose(&dataset, listing).unwrap();
    assert_eq!(chosen[0].steps.join("/"), "datasets/a/b/resolve/v1/data/train-00000-of-00001.parquet");
    assert_eq!(chosen[0].sha256.as_deref(), Some("ab"));
}
