//! A report as one HTML page: no network, no script, readable in print, in the dark and on a telephone.
//!
//! Charts are rows: a label, bars as inline SVG, and the number in words, so that nothing is said by colour or length alone.
//! Every text is escaped, and what would steer a terminal or hide text is written out.

use super::statistics::Rate;
use crate::pure::text::markup;
use std::fmt::Write as _;

/// A page in the making.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// What stands below the title, a line each.
    pub lead: Vec<String>,
    /// Its sections, in their order.
    pub sections: Vec<Section>,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub note: String,
    /// What it holds.
    pub body: Body,
}

/// What a section holds.
#[derive(Debug, Clone)]
pub enum Body {
    /// Rows of bars.
    Bars(Vec<Bars>),
    /// A table: its head, its rows, and the number of columns at the left that are names.
    Table(Vec<String>, Vec<Vec<String>>, usize),
    /// Lines of text.
    Lines(Vec<String>),
}

/// A row of a chart.
#[derive(Debug, Clone)]
pub struct Bars {
    /// What the row is about.
    pub label: String,
    /// One bar, or one before and one after.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What tells it from the others of its row; may be empty.
    pub name: String,
    /// Its length, from 0 to 1.
    pub share: f64,
    /// The interval of its length.
    pub interval: Option<(f64, f64)>,
    /// The number in words.
    pub text: String,
}

impl Bar {
    /// The bar of a share.
    pub fn of_rate(name: &str, rate: &Rate) -> Self {
        let share = rate.share.unwrap_or_default();
        let text = if rate.of == 0 { "none".into() } else { format!("{} of {}", percent(share), rate.of) };
        let interval = (rate.of > 0).then_some((rate.low, rate.high));
        Self { name: name.into(), share, interval, text }
    }

    /// The bar of a count, beside the largest one.
    pub fn of_count(count: u64, largest: u64) -> Self {
        let share = if largest == 0 { 0.0 } else { count as f64 / largest as f64 };
        Self { name: String::new(), share, interval: None, text: count.to_string() }
    }
}

/// A share in percent, with a digit where it is small.
pub fn percent(share: f64) -> String {
    let digits = usize::from(share > 0.0 && share < 0.1);
    format!("{:.digits$} %", 100.0 * share)
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1c1c;--paper:#fff;--faint:#5c5c5c;--line:#d9d9d9;--ground:#efefef;--before:#c2410c;--after:#1d4ed8}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#161616;--faint:#a6a6a6;--line:#3a3a3a;--ground:#2a2a2a;--before:#fb923c;--after:#7aa2ff}}\
*{box-sizing:border-box}body{margin:0 auto;max-width:64rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2.2rem 0 .2rem}p{margin:.2rem 0 .8rem;color:var(--faint)}\
.row{display:grid;grid-template-columns:minmax(9rem,15rem) 1fr;gap:.1rem .8rem;padding:.35rem 0;border-top:1px solid var(--line);break-inside:avoid}\
.label{overflow-wrap:anywhere}.bar{display:grid;grid-template-columns:4rem 1fr 8.5rem;gap:.6rem;align-items:center;font-size:.9rem}\
.bar.lone{grid-template-columns:1fr 8.5rem}.bar span{color:var(--faint)}.bar b{font-weight:400;text-align:right;font-variant-numeric:tabular-nums}\
svg{display:block;width:100%;height:.8rem}.ground{fill:var(--ground)}.b0{fill:var(--before)}.b1,.lone .b0{fill:var(--after)}.whisker{stroke:var(--ink);stroke-width:2;vector-effect:non-scaling-stroke}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;width:100%}th,td{padding:.3rem .6rem;border-top:1px solid var(--line);text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
th{font-weight:600;border-top:0}td.name,th.name{text-align:left;white-space:normal;overflow-wrap:anywhere}ul{padding-left:1.2rem;margin:.3rem 0}li{overflow-wrap:anywhere}\
@media(max-width:34rem){.row{grid-template-columns:1fr}.bar{grid-template-columns:3rem 1fr 7rem}.bar.lone{grid-template-columns:1fr 7rem}}\
@media print{body{max-width:none;padding:0;font-size:11pt}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2{break-after:avoid}}";

impl Page {
    /// Adds a section, unless there is nothing in it.
    pub fn add(&mut self, title: &str, note: &str, body: Body) {
        let is_empty = match &body {
            Body::Bars(rows) => rows.is_empty(),
            Body::Table(_, rows, _) => rows.is_empty(),
            Body::Lines(lines) => lines.is_empty(),
        };
        if !is_empty {
            self.sections.push(Section { title: title.into(), note: note.into(), body });
        }
    }

    /// The page's text.
    pub fn to_html(&self) -> String {
        let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
        out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">\n");
        let title = markup(&self.title);
        let _ = write!(
            out,
            "<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        );
        for line in &self.lead {
            let _ = writeln!(out, "<p>{}</p>", markup(line));
        }
        for section in &self.sections {
            section.write(&mut out);
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }
}

impl Section {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "<section>\n<h2>{}</h2>", markup(&self.title));
        if !self.note.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", markup(&self.note));
        }
        match &self.body {
            Body::Bars(rows) => rows.iter().for_each(|row| row.write(out)),
            Body::Table(head, rows, names) => table(head, rows, *names, out),
            Body::Lines(lines) => {
                out.push_str("<ul>\n");
                for line in lines {
                    let _ = writeln!(out, "<li>{}</li>", markup(line));
                }
                out.push_str("</ul>\n");
            }
        }
        out.push_str("</section>\n");
    }
}

impl Bars {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "<div class=\"row\"><div class=\"label\">{}</div><div>", markup(&self.label));
        let is_lone = self.bars.iter().all(|bar| bar.name.is_empty());
        for (n, bar) in self.bars.iter().enumerate() {
            let name = if is_lone { String::new() } else { format!("<span>{}</span>", markup(&bar.name)) };
            let class = if is_lone { "bar lone" } else { "bar" };
            let _ = writeln!(
                out,
                "<div class=\"{class}\">{name}{}<b>{}</b></div>",
                bar.svg(n),
                markup(&bar.text)
            );
        }
        out.push_str("</div></div>\n");
    }
}

impl Bar {
    fn svg(&self, n: usize) -> String {
        let place = |share: f64| 1000.0 * share.clamp(0.0, 1.0);
        let whisker = self.interval.map_or_else(String::new, |(low, high)| {
            let (low, high) = (place(low), place(high));
            format!("<line class=\"whisker\" x1=\"{low:.0}\" y1=\"8\" x2=\"{high:.0}\" y2=\"8\"/>")
        });
        format!(
            "<svg viewBox=\"0 0 1000 16\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\"><rect class=\"ground\" \
             width=\"1000\" height=\"16\"/><rect class=\"b{}\" width=\"{:.0}\" height=\"16\"/>{whisker}</svg>",
            markup(&self.text),
            n.min(1),
            place(self.share)
        )
    }
}

fn table(head: &[String], rows: &[Vec<String>], names: usize, out: &mut String) {
    let cell = |tag: &str, n: usize, text: &String| {
        let class = if n < names { " class=\"name\"" } else { "" };
        format!("<{tag}{class}>{}</{tag}>", markup(text))
    };
    let line = |tag: &str, cells: &[String]| {
        let cells: String = cells.iter().enumerate().map(|(n, text)| cell(tag, n, text)).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().map(|row| line("td", row)).collect();
    let _ = writeln!(
        out,
        "<div class=\"wide\"><table>\n<thead>{}</thead>\n<tbody>\n{body}</tbody></table></div>",
        line("th", head)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a name holds, it opens no tag and ends no attribute.
        #[test]
        fn a_text_stays_a_text(text in any::<String>()) {
            let bar = Bar { name: text.clone(), share: 0.5, interval: None, text: text.clone() };
            let mut page = Page { title: text.clone(), lead: vec![text.clone()], sections: Vec::new() };
            page.add(&text, &text, Body::Bars(vec![Bars { label: text.clone(), bars: vec![bar] }]));
            page.add("t", "", Body::Table(vec![text.clone()], vec![vec![text.clone()]], 1));
            let html = page.to_html();
            let same = Page { title: "x".into(), lead: vec!["x".into()], ..page.clone() };
            let tags = |html: &str| html.matches('<').count();
            let plain = {
                let bar = Bar { name: if text.is_empty() { String::new() } else { "x".into() }, share: 0.5, interval: None, text: "x".into() };
                let mut page = Page { sections: Vec::new(), ..same };
                page.add("x", if text.is_empty() { "" } else { "x" }, Body::Bars(vec![Bars { label: "x".into(), bars: vec![bar] }]));
                page.add("t", "", Body::Table(vec!["x".into()], vec![vec!["x".into()]], 1));
                page.to_html()
            };
            prop_assert_eq!(tags(&html), tags(&plain));
            prop_assert!(!html.contains("http://") && !html.contains("<script"));
        }
    }

    #[test]
    fn what_is_empty_has_no_section() {
        let mut page = Page::default();
        page.add("nothing", "", Body::Bars(Vec::new()));
        assert!(page.sections.is_empty());
        assert_eq!([0.0, 0.034, 0.5, 1.0].map(percent), ["0 %", "3.4 %", "50 %", "100 %"]);
    }
}
