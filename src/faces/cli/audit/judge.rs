//! The judge of `amend audit --sample`: it looks at random pairs of the audited files, as that of `amend label` looks at all.

use super::super::Failure;
use super::super::journaled_work::{JournaledWork, WorkMemo, kept_in, require_verdicts};
use super::super::settings::RecipeArgs;
use super::Args;
use crate::pure::audit::{SampleReport, SampleTally, SampledPair, Shape};
use crate::pure::method::label_given;
use crate::pure::recipe::{LabelPairs, LabelSource, RoleModels};
use crate::runtime::audit::{AuditSettings, Audited, sample_pairs};
use crate::runtime::dataset::readers::RereadableSources;
use crate::runtime::engine::{VerdictCounts, at_hand};
use crate::runtime::project::{Project, models};

/// A judge, and how many pairs it is shown.
pub(super) struct Judge {
    project: Project,
    models: RoleModels,
    pairs: usize,
}

impl Judge {
    /// The judge that the user asked for, checked before the first row is read.
    pub(super) fn wanted(args: &Args) -> Result<Option<Self>, Failure> {
        let Some(pairs) = args.recipe.sample else { return Ok(None) };
        if pairs == 0 {
            return Err(Failure::usage("`--sample` is a number above 0"));
        }
        let mut project = RecipeArgs { sample: None, ..args.recipe.clone() }.open_project()?;
        let label = &mut project.recipe.label;
        (label.source, label.pairs) = (LabelSource::Given, LabelPairs::All);
        args.judging.lay_over(label);
        let models = models::resolve(&project.recipe)?;
        Ok(Some(Self { project, models, pairs: usize::try_from(pairs).unwrap_or(usize::MAX) }))
    }

    /// Has the judge look at its pairs.
    pub(super) fn look(
        self,
        args: &Args,
        audited: &Audited,
        files: &RereadableSources,
        settings: &AuditSettings,
    ) -> Result<SampleReport, Failure> {
        let Self { project, models, pairs } = self;
        if audited.report.shape != Shape::Pairs.as_str() {
            let shape = audited.report.shape;
            return Err(Failure::usage(format!("`--sample` judges pairs, and the rows are read as {shape}"))
                .hint("name the columns of a pair with `--chosen` and `--rejected`"));
        }
        let pairs =
            sample_pairs(audited, files, settings, pairs, project.recipe.seed).map_err(super::failure)?;
        let cx = project.context(&models)?;
        let dir = kept_in(args.run.as_ref(), &project, "audit");
        let work = JournaledWork::open(&dir, &project, models, args.json)?;
        let judged = async |ask: &WorkMemo<'_>, pair: SampledPair| {
            let transcript = label_given(ask, &cx, &pair.prompt).await?;
            Ok((pair, transcript))
        };
        let mut tally = SampleTally::default();
        work.each("pairs", pairs.len() as u64, at_hand(pairs), &judged, |(pair, transcript)| {
            tally.add(&pair, &transcript);
        })?;
        work.tell();
        let report = tally.finish();
        let unread = report.judge.undecided;
        let counts = VerdictCounts { asked: unread.of, undecided: unread.count };
        require_verdicts(counts, project.recipe.limits.max_undecided_share)?;
        Ok(report)
    }
}
