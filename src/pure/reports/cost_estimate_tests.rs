//! The arithmetic of a plan.

use super::*;

#[test]
fn a_prediction_is_exact_where_nothing_is_left_to_chance() {
    let check = |probed: &[f64], size: u64, low: f64, likely: f64, high: f64| {
        assert_eq!(predict(probed, size), Interval { low, likely: Some(likely), high });
    };
    check(&[1.0, 2.0, 3.0], 3, 6.0, 6.0, 6.0);
    check(&[4.0, 4.0, 4.0], 10, 40.0, 40.0, 40.0);
    check(&[5.0], 2, 5.0, 10.0, f64::INFINITY);
}

#[test]
fn fewer_probed_prompts_make_a_wider_interval() {
    let width = |n: usize| {
        let probed: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
        let predicted = predict(&probed, 1000);
        predicted.high - predicted.low
    };
    assert!(width(8) > width(20) && width(20) > width(200));
    // Student's t at 1 - 0.05/3 for 19 degrees of freedom, from tables: 2.625.
    assert!((t_quantile(19.0) - 2.625).abs() < 0.01, "{}", t_quantile(19.0));
}

#[test]
fn money_counts_cached_tokens_at_their_own_price() {
    let used = Used { calls: 1.0, prompt: 3e6, cached: 1e6, completion: 1e6 };
    let price = |cached| Price { prompt: 2.0, cached, completion: 8.0 };
    assert!((used.money(&price(Some(0.5))) - 12.5).abs() < 1e-9);
    assert!((used.money(&price(None)) - 14.0).abs() < 1e-9);
}
