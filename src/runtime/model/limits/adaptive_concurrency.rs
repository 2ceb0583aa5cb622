//! How many calls to have in flight when nobody says: find out, and keep finding out.
//!
//! A pure controller: it is told what happens and when (seconds since any start), and says whether a call may be sent.
//! It reads no clock and sends nothing; `limits` does that. Tests put it into a table of worlds on virtual time.
//!
//! - **Slow start.** The number is multiplied, spread over a part of a round trip, and the work done is measured. It is
//!   multiplied again as soon as the answers that came prove that the last step paid. When a step brings little, the
//!   next one is smaller; so the search passes what a server can use by a factor of two at most, where answers come
//!   within a few seconds. Slower endpoints are searched with a larger factor, as round trips are dear there.
//! - **Hold.** What was found is measured over whole round trips, and now and then a little more and a little less is
//!   tried. More is kept when it brings more, less is kept when it brings the same.
//! - **Refusals.** A share of refusals that is larger than usual says that there is a wall. The number falls back to the
//!   calls that were accepted, and calls are sent evenly: so the same number works for a limit of calls in flight, of
//!   requests per second, and for both. A little more is tried from time to time. What a try costs in refusals has to
//!   be earned by answers first. A share that stays the same with fewer calls is not a wall: it is usual from then on.
//!
//! Work is counted in mean answers: tokens decide how long an answer takes at most servers, and a fit over the last
//! answers says by how much. So a change in the mix of short and long answers is not taken for a change of the server.

/// Calls in flight to begin with.
pub(super) const START: f64 = 8.0;
/// A part of a step's growth that throughput must follow with, or the step is taken back.
const WORTH: f64 = 0.25;
/// Answers that have to be earned for each refusal that a probe cost.
const PRICE: f64 = 150.0;
/// Seconds too short to measure anything, and too short for a queue at the endpoint to cost anything. Answers of a
/// few milliseconds come in bursts, as one flush of the journal serves many; only over a longer time is that a rate.
const INSTANT: f64 = 0.03;
/// Outcomes looked at for a sudden share of refusals.
const RECENT: u32 = 20;

/// Why the number of calls in flight changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReason {
    /// The last step brought more answers, so another is tried.
    Gain,
    /// The last step brought no more answers, so it is taken back.
    NoGain,
    /// A little more, or a little less, is tried.
    Probe,
    /// The endpoint does less than before.
    Slower,
    /// The endpoint refuses calls.
    Refused,
}

impl LimitReason {
    /// The reason's name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gain => "gain",
            Self::NoGain => "no_gain",
            Self::Probe => "probe",
            Self::Slower => "slower",
            Self::Refused => "refused",
        }
    }
}

/// Whether a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SendTime {
    Now,
    /// Not before this time, unless something happens earlier.
    At(f64),
    /// When a call in flight ends.
    Later,
}

/// Calls in flight, and the work per second that they brought.
#[derive(Debug, Clone, Copy)]
struct LoadLevel {
    in_flight: f64,
    rate: f64,
}

/// What is being tried.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ControlMode {
    /// The search upward; the last step multiplied by so much.
    Climb(f64),
    /// The proven number.
    Hold,
    /// More, or fewer, than the proven number.
    Try { factor: f64 },
    /// Below a wall, where calls are refused.
    Wall,
}

/// What one level is measured by.
#[derive(Debug, Clone, Copy, Default)]
struct MeasureWindow {
    began: f64,
    /// Answers before this belong to the level before.
    from: f64,
    sent: f64,
    answers: f64,
    work: f64,
    refused: f64,
    /// Calls in flight × seconds.
    area: f64,
    /// How often a call was held back.
    held: u32,
}

/// What is known of a wall.
#[derive(Debug, Clone, Copy, Default)]
struct RefusalWall {
    /// Calls in flight when the first call was refused.
    top: f64,
    /// Calls in flight after the first cut.
    floor: f64,
    /// Calls in flight before a little more was tried.
    before: Option<f64>,
    /// How much more is tried next, as a share.
    step: f64,
    /// Calls in flight at which calls were refused last.
    ceiling: f64,
    /// Whether trying more was refused, so that the ceiling is more than a guess.
    is_known: bool,
    /// Outcomes and refusals since the last cut.
    outcomes: f64,
    refused: f64,
    /// Cuts since refusals last stopped.
    cuts: u32,
    /// Cuts in a row at which few calls of many were refused.
    mild: u32,
    /// How often fewer calls were refused as often as before.
    strikes: u32,
}

#[derive(Debug)]
pub(super) struct ConcurrencyController {
    fixed: Option<u32>,
    limit: f64,
    /// The limit grows from this number, from and until these times.
    growth: Option<(f64, f64, f64)>,
    next_send: f64,
    in_flight: f64,
    touched: f64,
    mode: ControlMode,
    window: MeasureWindow,
    proven: Option<LoadLevel>,
    latency: f64,
    /// Work per second of one call in flight while the endpoint was not full.
    speed: f64,
    fit: LatencyFit,
    /// Windows held since the last try, and how many to hold before the next.
    held: u32,
    /// Windows in a row in which far less was done than before.
    slow: u32,
    patience: u32,
    tries_down: bool,
    /// The last outcomes of calls sent since the last cut: a bit for each refusal.
    recent: u32,
    recent_count: u32,
    last_cut: f64,
    /// The share of refusals that is there whatever is done.
    usual: f64,
    /// Answers still to be earned before a wall is probed.
    debt: f64,
    debt_at: f64,
    wall: RefusalWall,
    /// Seconds that a refusal takes.
    refusal_time: f64,
    change: Option<LimitReason>,
}

impl ConcurrencyController {
    pub(super) fn fixed(n: u32) -> Self {
        Self { fixed: Some(n.max(1)), ..Self::auto() }
    }

    /// Exactly so many from now on.
    pub(super) fn set_fixed(&mut self, n: u32) {
        *self = Self::fixed(n);
    }

    /// Finds out how many from now on, beginning with those that are in flight.
    pub(super) fn set_auto(&mut self, now: f64, in_flight: u32) {
        if self.fixed.is_some() {
            let in_flight = f64::from(in_flight);
            *self = Self { limit: in_flight.max(START), in_flight, touched: now, ..Self::auto() };
        }
    }

    pub(super) fn auto() -> Self {
        Self {
            fixed: None,
            limit: START,
            growth: None,
            next_send: 0.0,
            in_flight: 0.0,
            touched: 0.0,
            mode: ControlMode::Climb(2.0),
            window: MeasureWindow::default(),
            proven: None,
            latency: 0.0,
            speed: 0.0,
            fit: LatencyFit::default(),
            held: 0,
            slow: 0,
            patience: 3,
            tries_down: false,
            recent: 0,
            recent_count: 0,
            last_cut: f64::NEG_INFINITY,
            usual: 0.0,
            debt: 0.0,
            debt_at: 0.0,
            refusal_time: 0.0,
            wall: RefusalWall::default(),
            change: None,
        }
    }

    /// Calls that may be in flight now.
    pub(super) fn limit(&self, now: f64) -> f64 {
        if let Some(n) = self.fixed {
            return f64::from(n);
        }
        let limit = match self.growth {
            Some((from, began, until)) if now < until => {
                from + (self.limit - from) * ((now - began) / (until - began)).clamp(0.0, 1.0)
            }
            Some(_) | None => self.limit,
        };
        limit.floor().max(1.0)
    }

    /// Calls that may be in flight when the growth that is under way is over.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 1, and as many as memory holds at most"
    )]
    pub(super) fn target(&self) -> u32 {
        self.fixed.unwrap_or(self.limit.max(1.0) as u32)
    }

    /// Why the target changed since the last time this was asked.
    pub(super) fn take_change(&mut self) -> Option<LimitReason> {
        self.change.take()
    }

    /// Whether a call may be sent. `in_flight` are the calls under way.
    pub(super) fn admits(&mut self, now: f64, in_flight: u32) -> SendTime {
        if f64::from(in_flight) >= self.limit(now) {
            self.window.held = self.window.held.saturating_add(1);
            return match self.growth {
                Some((from, began, until)) if now < until => {
                    let per_call = (until - began) / (self.limit - from).max(1.0);
                    let missing = f64::from(in_flight) + 1.0 - self.limit(now);
                    SendTime::At((now + per_call * missing).min(until.max(now + 1e-3)).max(now + 1e-3))
                }
                Some(_) | None => SendTime::Later,
            };
        }
        if self.fixed.is_none() && now < self.next_send {
            self.window.held = self.window.held.saturating_add(1);
            return SendTime::At(self.next_send);
        }
        SendTime::Now
    }

    pub(super) fn sent(&mut self, now: f64) {
        if self.fixed.is_some() {
            return;
        }
        self.advance(now);
        self.in_flight += 1.0;
        self.window.sent += 1.0;
        if self.mode == ControlMode::Wall && self.latency > 0.0 {
            // A timer is a little late now and then; what was missed may be made up for, but not in a burst.
            let slack = 1.0 + 0.15 * (self.limit / 16.0).min(1.0);
            self.next_send = self.next_send.max(now - 0.01) + self.latency / (slack * self.limit);
        }
        if self.mode == ControlMode::Wall {
            self.look_at_wall(now);
        }
    }

    /// A call was let go without an outcome.
    pub(super) fn dropped(&mut self, now: f64) {
        if self.fixed.is_none() {
            self.advance(now);
            self.in_flight -= 1.0;
        }
    }

    /// A call was answered.
    pub(super) fn answered(&mut self, sent: f64, now: f64, tokens: u64) {
        if self.fixed.is_some() {
            return;
        }
        self.advance(now);
        self.in_flight -= 1.0;
        let took = (now - sent).max(1e-6);
        let weight = self.fit.weight(tokens as f64);
        self.fit.learn(tokens as f64, took);
        let share = if self.fit.count < 32.0 { 1.0 / self.fit.count.max(1.0) } else { 0.03 };
        self.latency += share * (took - self.latency);
        self.debt -= 1.0;
        self.wall.outcomes += 1.0;
        if sent >= self.last_cut {
            self.recent <<= 1;
            self.recent_count = (self.recent_count + 1).min(RECENT);
        }
        if now >= self.window.from {
            self.window.answers += 1.0;
            self.window.work += weight;
        }
        self.decide(now);
    }

    /// A call was refused, or never answered.
    pub(super) fn refused(&mut self, sent: f64, now: f64) {
        if self.fixed.is_some() {
            return;
        }
        self.advance(now);
        self.in_flight -= 1.0;
        self.window.refused += 1.0;
        self.refusal_time += 0.2 * (now - sent - self.refusal_time);
        if sent < self.last_cut {
            return;
        }
        self.wall.refused += 1.0;
        self.wall.outcomes += 1.0;
        self.recent = (self.recent << 1) | 1;
        self.recent_count = (self.recent_count + 1).min(RECENT);
        let refused = (self.recent & ((1 << RECENT) - 1)).count_ones();
        let is_sudden =
            f64::from(refused) >= 4.0 + 40.0 * self.usual + if self.usual > 0.0 { 1.0 } else { 0.0 };
        let excess =
            self.window.refused - 2.0 * self.usual * (self.window.answers + self.window.refused + 20.0);
        match self.wall.before {
            Some(before) if self.mode == ControlMode::Wall && excess >= 1.0 => {
                self.wall.ceiling = self.limit;
                self.wall.is_known = true;
                self.limit = 0.99 * before;
                self.growth = None;
                self.wall.step = 0.02;
                self.wall.before = None;
                self.debt = (self.debt.max(0.0) + PRICE).min(12.0 * PRICE);
                self.last_cut = now;
                self.change = Some(LimitReason::Refused);
                self.measure(now, 0.0);
            }
            Some(_) | None if is_sudden => self.cut(now, f64::from(refused) / f64::from(self.recent_count)),
            None if self.mode == ControlMode::Wall && excess >= 1.0 => {
                self.wall.ceiling = self.limit;
                self.limit *= 0.97;
                self.debt = (self.debt.max(0.0) + PRICE).min(12.0 * PRICE);
                self.last_cut = now;
                self.change = Some(LimitReason::Refused);
                self.measure(now, 0.0);
                self.look_at_wall(now);
            }
            Some(_) | None if self.mode == ControlMode::Wall => self.look_at_wall(now),
            Some(_) | None => {}
        }
    }

    /// Falls back to what was accepted.
    fn cut(&mut self, now: f64, share: f64) {
        let limit = self.limit(now).min(self.limit);
        if self.mode != ControlMode::Wall {
            self.wall = RefusalWall { top: limit, step: 0.05, ..RefusalWall::default() };
        }
        self.mode = ControlMode::Wall;
        self.usual = if share > 3.0 * self.usual { 0.0 } else { 0.8 * self.usual };
        self.wall.cuts += 1;
        self.wall.mild = if share < 0.3 { self.wall.mild + 1 } else { 0 };
        self.wall.before = None;
        if self.wall.mild > 3 || self.wall.cuts > 12 {
            // A wall that is passed by far refuses most calls, and one that is passed by little refuses none after a cut.
            return self.leave_wall(now, share);
        }
        let least = match self.wall.cuts {
            0..=2 => 0.5,
            _ if limit < 4.0 => 0.6,
            _ => 0.8,
        };
        self.wall.ceiling = limit;
        self.wall.strikes = 0;
        (self.wall.outcomes, self.wall.refused) = (0.0, 0.0);
        self.limit = self.in_flight.clamp(least * limit, 0.95 * limit);
        self.wall.floor = self.limit;
        self.growth = None;
        self.proven = None;
        (self.recent, self.recent_count, self.last_cut) = (0, 0, now);
        self.debt = 0.0;
        self.change = Some(LimitReason::Refused);
        self.measure(now, 0.0);
    }

    /// So large a share is refused whatever is done: goes on as before the first cut.
    fn leave_wall(&mut self, now: f64, share: f64) {
        self.usual = share.min(0.15);
        self.limit = self.wall.top.min(2.0 * self.wall.floor);
        self.search_again(now);
    }

    fn search_again(&mut self, now: f64) {
        (self.recent, self.recent_count, self.last_cut) = (0, 0, now);
        (self.growth, self.proven) = (None, None);
        self.mode = ControlMode::Climb(2.0);
        self.change = Some(LimitReason::Probe);
        self.measure(now, 0.0);
    }

    /// Looks at an interval below a wall: tries more when nothing was refused, and less when too much was.
    fn look_at_wall(&mut self, now: f64) {
        self.debt -= PRICE / 20.0 * (now - self.debt_at).max(0.0);
        self.debt_at = now;
        let seconds = now - self.window.began;
        if seconds < (0.3 * self.latency).min(5.0).max(4.0 * self.refusal_time).max(0.3) {
            return;
        }
        let share = self.wall.refused / self.wall.outcomes.max(1.0);
        if self.wall.outcomes >= 150.0 && share - self.usual > 0.018 && self.limit < 0.9 * self.wall.floor {
            self.wall.strikes += 1;
            if self.wall.strikes >= 2 {
                // Twice, fewer calls were refused as often as before. They are refused whatever is done.
                return self.leave_wall(now, share);
            }
            self.wall.floor = self.limit;
            (self.wall.outcomes, self.wall.refused) = (0.0, 0.0);
        }
        let MeasureWindow { answers, refused, sent, .. } = self.window;
        let is_full = self.in_flight >= 0.97 * self.limit.floor() || self.limit < 4.0 && sent >= 8.0;
        if refused > 0.0 && answers < 100.0 * refused || self.debt > 0.0 || !is_full || sent < 4.0 {
            return;
        }
        let is_near = self.limit > 0.85 * self.wall.ceiling && self.limit < 1.3 * self.wall.ceiling;
        if is_near && self.wall.is_known && (seconds < 2.0 || answers < 60.0 && seconds < 10.0) {
            return;
        }
        if self.wall.before.take().is_some() {
            // A little more was tried and is kept.
            self.wall.step = if is_near { 0.1 } else { (2.0 * self.wall.step).min(0.5) };
        }
        if answers >= 30.0 {
            self.wall.mild = 0;
            self.wall.cuts = 0;
        }
        if self.limit > 4.0 * self.wall.floor.max(4.0) {
            return self.search_again(now);
        }
        self.wall.before = Some(self.limit);
        // Close to where calls were refused, half of the way is enough, and two in a hundred always.
        let room = if self.limit < self.wall.ceiling { self.wall.ceiling / self.limit - 1.0 } else { 1.0 };
        self.limit *= 1.0
            + if is_near && self.wall.is_known { 0.03 } else { self.wall.step.min((0.5 * room).max(0.02)) };
        self.change = Some(LimitReason::Probe);
        self.measure(now, 0.0);
    }

    fn advance(&mut self, now: f64) {
        let level = self.in_flight;
        if now > self.window.from {
            self.window.area += level * (now - self.touched.max(self.window.from)).max(0.0);
        }
        self.touched = now;
    }

    /// Begins to measure. The first part of a round trip belongs to what was there before.
    fn measure(&mut self, now: f64, skip: f64) {
        self.window = MeasureWindow { began: now, from: now + skip, ..MeasureWindow::default() };
    }

    fn hold(&mut self, now: f64, why: LimitReason) {
        self.mode = ControlMode::Hold;
        self.held = 0;
        self.change = Some(why);
        self.measure(now, 0.5 * self.round_trip());
    }

    /// Multiplies the limit, spread over a part of a round trip.
    fn step(&mut self, now: f64, factor: f64, why: LimitReason) {
        let from = self.limit(now);
        self.limit = (from * factor).max(if factor > 1.0 { from + 1.0 } else { 1.0 });
        let lasts = if factor > 1.0 { 0.3 * self.round_trip() } else { 0.0 };
        self.growth = (lasts > 0.0).then_some((from, now, now + lasts));
        self.change = Some(why);
    }

    /// The factor of slow start: two, and more where a round trip takes seconds.
    fn boldness(&self) -> f64 {
        (2.0 * (self.round_trip() / 2.5).sqrt()).clamp(2.0, 3.5)
    }

    fn decide(&mut self, now: f64) {
        match self.mode {
            ControlMode::Climb(factor) => self.climb(now, factor),
            ControlMode::Hold => self.look(now),
            ControlMode::Try { factor } => self.judge(now, factor),
            ControlMode::Wall => self.look_at_wall(now),
        }
    }

    /// Seconds that a mean answer takes when the endpoint is not full.
    fn round_trip(&self) -> f64 {
        if self.speed > 0.0 { self.latency.min(1.0 / self.speed) } else { self.latency }
    }

    /// How many times more calls are in flight than the work done needs.
    fn excess(&self, level: LoadLevel) -> f64 {
        level.in_flight * self.speed / level.rate.max(1e-9)
    }

    fn learn_speed(&mut self, level: LoadLevel) {
        let speed = level.rate / level.in_flight;
        self.speed = if self.speed <= 0.0 {
            speed
        } else if speed > self.speed {
            0.5 * (self.speed + speed)
        } else {
            0.99 * self.speed + 0.01 * speed
        };
    }

    fn level(&self, now: f64) -> LoadLevel {
        let seconds = (now - self.window.from).max(1e-9);
        LoadLevel { in_flight: (self.window.area / seconds).max(0.5), rate: self.window.work / seconds }
    }

    fn climb(&mut self, now: f64, factor: f64) {
        let Some(proven) = self.proven else {
            // The first answers: what they took says what as many calls side by side bring.
            if self.window.answers >= (0.75 * self.limit).max(4.0) {
                let level = self.level(now);
                self.latency = self.latency.max(self.window.area / self.window.answers);
                self.learn_speed(level);
                self.proven = Some(level);
                self.climb_on(now, self.boldness());
            }
            return;
        };
        let seconds = now - self.window.from;
        if seconds <= 0.0 {
            return;
        }
        // Answers that prove early that the step paid, although some that began with it are still under way.
        let flat = proven.rate * seconds;
        let enough = flat * (1.0 + 0.55 * (factor - 1.0)) + 1.5 * (flat + 1.0).sqrt();
        if self.window.answers >= 8.0
            && self.window.work >= enough
            && seconds > (0.4 * self.round_trip()).max(INSTANT)
        {
            let ideal = f64::from(self.target()) / proven.in_flight * proven.rate;
            // The first answers of all are few and short, so what was measured with them is put right as more come.
            let usual = 0.75 * f64::from(self.target()) / self.latency;
            let rate = ideal.max(self.level(now).rate).max(usual);
            self.speed = self.speed.max(0.75 / self.latency);
            self.proven = Some(LoadLevel { in_flight: f64::from(self.target()), rate });
            self.climb_on(now, self.boldness());
            return;
        }
        if seconds < (1.5 * self.round_trip()).max(2.0 * INSTANT) || self.window.answers < 24.0 {
            return;
        }
        let level = self.level(now);
        let grown = level.in_flight / proven.in_flight;
        if grown < 1.1 {
            // Too few calls wanted to go: this says nothing.
            self.measure(now, 0.0);
            return;
        }
        let gain = (level.rate / proven.rate - 1.0) / (grown - 1.0);
        if gain >= WORTH + 1.0 / self.window.answers.sqrt() {
            self.proven = Some(level);
            self.learn_speed(level);
            let next = if gain >= 0.65 { self.boldness() } else { 1.0 + gain.max(0.25) };
            self.climb_on(now, next);
        } else {
            let useful = level.rate / self.speed;
            let least = proven.in_flight.min(level.in_flight);
            self.limit = (1.3 * useful).clamp(0.7 * least, level.in_flight.max(least)).max(costless(level));
            self.growth = None;
            self.proven = None;
            self.patience = 1;
            self.hold(now, LimitReason::NoGain);
        }
    }

    fn climb_on(&mut self, now: f64, factor: f64) {
        self.mode = ControlMode::Climb(factor);
        self.step(now, factor, LimitReason::Gain);
        self.measure(now, 0.15 * self.round_trip());
    }

    fn is_whole(&self, now: f64) -> bool {
        let seconds = now - self.window.from;
        let in_flight = self.window.area / seconds.max(1e-9);
        // At the edges of a window, answers under way are counted or not by chance: few calls need a longer one.
        let least = if in_flight < 128.0 { 4.0 } else { 2.0 };
        let trips = seconds / self.round_trip().max(1e-9);
        seconds >= 10.0 * INSTANT && trips >= least && (self.window.answers >= 48.0 || trips >= 6.0)
    }

    /// Looks at a whole window at the proven number.
    fn look(&mut self, now: f64) {
        if !self.is_whole(now) {
            return;
        }
        let level = self.level(now);
        let outcomes = self.window.answers + self.window.refused;
        let share = self.window.refused / outcomes;
        self.usual = self.usual.min(0.5 * self.usual + 0.5 * share);
        if self.window.refused >= 4.0 && share > 0.006 + 1.3 * self.usual {
            return self.cut(now, share);
        }
        let is_held = self.window.held > 0;
        self.measure(now, 0.0);
        if !is_held {
            return;
        }
        self.held += 1;
        self.learn_speed(level);
        let Some(proven) = self.proven else {
            self.proven = Some(level);
            return;
        };
        let worse = level.rate / proven.rate;
        if worse < 0.65 && level.in_flight > 0.9 * proven.in_flight {
            self.slow += 1;
            if self.slow >= 2 {
                // Twice in a row: not chance. With the answers' time the number that is useful has changed.
                self.slow = 0;
                self.proven = Some(level);
                self.mode = ControlMode::Try { factor: worse.max(0.5) };
                self.step(now, worse.max(0.5), LimitReason::Slower);
                self.measure(now, 0.7 * self.round_trip());
            }
            return;
        }
        self.slow = 0;
        let mix = |old: f64, new: f64| 0.6 * old + 0.4 * new;
        self.proven = Some(LoadLevel {
            in_flight: mix(proven.in_flight, level.in_flight),
            rate: mix(proven.rate, level.rate),
        });
        if self.held >= self.patience {
            let excess = self.excess(level);
            let can_do_with_less = 0.8 * level.in_flight > costless(level);
            let factor = if excess > 1.6 && can_do_with_less {
                (1.25 / excess).max(0.5)
            } else if self.tries_down && can_do_with_less {
                0.8
            } else if self.limit < 12.0 {
                1.5
            } else {
                1.25
            };
            self.tries_down = !self.tries_down;
            self.mode = ControlMode::Try { factor };
            self.step(now, factor, LimitReason::Probe);
            self.measure(now, 0.7 * self.round_trip());
        }
    }

    /// Decides about a try of more or fewer calls, after a whole window.
    fn judge(&mut self, now: f64, factor: f64) {
        if !self.is_whole(now) {
            return;
        }
        let level = self.level(now);
        let Some(proven) = self.proven else { return self.hold(now, LimitReason::Probe) };
        let moved = level.in_flight / proven.in_flight;
        if (moved - 1.0) / (factor - 1.0) < 0.4 {
            // The number in flight did not follow: there was too little to do.
            self.limit = proven.in_flight.max(1.0);
            return self.hold(now, LimitReason::NoGain);
        }
        let follows = (level.rate / proven.rate - 1.0) / (moved - 1.0);
        // Fewer calls must bring the same beyond doubt: what chance takes away would not come back soon.
        let doubt = 0.5 / (self.window.answers.sqrt() * (moved - 1.0).abs());
        let is_worth = if factor > 1.0 { follows >= 0.3 } else { follows >= 0.3 - doubt };
        if is_worth {
            // The endpoint was not full at the smaller number.
            let small = if factor < 1.0 { level } else { proven };
            self.speed = self.speed.min(small.rate / small.in_flight);
        }
        match (factor > 1.0, is_worth) {
            (true, true) => {
                self.proven = Some(level);
                self.climb_on(now, 1.5);
            }
            (false, false) => {
                self.proven = Some(level);
                self.patience = 1;
                self.tries_down = true;
                self.hold(now, LimitReason::Probe);
            }
            (true, false) | (false, true) => {
                self.limit = proven.in_flight.round().max(1.0);
                self.growth = None;
                self.patience = (self.patience * 2).min(4);
                self.hold(now, LimitReason::NoGain);
            }
        }
    }
}

/// Calls in flight that an endpoint works off in an instant. Fewer are never useful.
fn costless(level: LoadLevel) -> f64 {
    level.rate * INSTANT
}

/// How long an answer takes by its tokens: a straight line through the last few hundred answers.
#[derive(Debug, Default)]
struct LatencyFit {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl LatencyFit {
    fn learn(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        let share = (1.0 / self.count).max(0.003);
        self.x += share * (x - self.x);
        self.y += share * (y - self.y);
        self.xx += share * (x * x - self.xx);
        self.xy += share * (x * y - self.xy);
    }

    /// The work of an answer of so many tokens, in mean answers.
    fn weight(&self, tokens: f64) -> f64 {
        let spread = self.xx - self.x * self.x;
        if self.count < 16.0 || spread <= 0.0 || self.y <= 0.0 {
            return 1.0;
        }
        let slope = ((self.xy - self.x * self.y) / spread).max(0.0);
        (1.0 + slope * (tokens - self.x) / self.y).clamp(0.1, 10.0)
    }
}
