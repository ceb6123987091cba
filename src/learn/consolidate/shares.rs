//! How much of what was learnt is taken: what there is in, the shares to try out.
//!
//! Pure; that which learns most comes first.

/// How much of what was learnt is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares {
    /// Of what the encoder practised.
    pub(super) encoder: f64,
    /// Of the heads of labels.
    pub(super) heads: f64,
    /// Of the heads of labels that shipped texts have too: they alone can make general texts worse.
    pub(super) general: f64,
}

impl Shares {
    /// What is tried. `has_practised` says whether the encoder has, `shared` whether shipped texts
    /// have one of the labels.
    pub(super) fn to_try(has_practised: bool, shared: bool) -> Vec<Shares> {
        const PARTS: [f64; 3] = [1.0, 0.5, 0.25];
        let mut all = Vec::new();
        if has_practised {
            all.extend(PARTS.map(|encoder| Shares {
                encoder,
                heads: 1.0,
                general: 1.0,
            }));
        }
        all.push(Shares {
            encoder: 0.0,
            heads: 1.0,
            general: 1.0,
        });
        if shared {
            all.extend([0.5, 0.25, 0.0].map(|general| Shares {
                encoder: 0.0,
                heads: 1.0,
                general,
            }));
        }
        let general = |heads| if shared { 0.0 } else { heads };
        all.extend([0.5, 0.25].map(|heads| Shares {
            encoder: 0.0,
            heads,
            general: general(heads),
        }));
        all
    }

    pub(super) fn words(self) -> String {
        let percent = |share: f64| format!("{} %", 100.0 * share);
        if self.encoder > 0.0 {
            return format!("{} of what the encoder learnt", percent(self.encoder));
        }
        let learnt = format!("{} of what was learnt", percent(self.heads));
        match self.general == self.heads {
            true => learnt,
            false => format!(
                "{learnt}, and {} for labels of general texts,",
                percent(self.general)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_tried_of_what_may_do_harm_before_less_of_everything() {
        let words = |practised, shared| -> Vec<String> {
            let all = Shares::to_try(practised, shared);
            all.into_iter().map(Shares::words).collect()
        };
        assert_eq!(
            words(false, false),
            ["100", "50", "25"].map(|share| format!("{share} % of what was learnt"))
        );
        let shared = words(false, true);
        assert_eq!(shared.len(), 6);
        assert_eq!(shared[0], "100 % of what was learnt");
        assert_eq!(
            shared[3],
            "100 % of what was learnt, and 0 % for labels of general texts,"
        );
        assert_eq!(words(true, false).len(), 6);
        assert_eq!(words(true, false)[1], "50 % of what the encoder learnt");
    }
}
