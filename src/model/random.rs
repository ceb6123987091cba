//! Numbers that look random and are not: a seed in, the same numbers out, on every machine.
//!
//! Written out here because a training must give the same bytes after a library's update.
//! (Steele, Lea and Flood's SplitMix64.) Not for secrets.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of these numbers together; streams of different numbers are unrelated.
    pub fn new(seeds: &[u64]) -> Random {
        let mut random = Random { state: 0 };
        for seed in seeds {
            random.state ^= *seed;
            random.state = random.bits();
        }
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1, uniformly.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether an event of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// From 0 to below `n`, which must not be 0, uniformly (to 1 in 2⁶⁴ / n).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Any order of `items`, each equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seeds_give_the_same_stream_and_others_another() {
        let take = |seeds: &[u64]| {
            let mut random = Random::new(seeds);
            [random.bits(), random.bits(), random.bits()]
        };
        assert_eq!(take(&[1, 2]), take(&[1, 2]));
        let streams = [take(&[1, 2]), take(&[2, 1]), take(&[1]), take(&[1, 3])];
        for (i, stream) in streams.iter().enumerate() {
            assert!(streams[..i].iter().all(|other| other != stream));
        }
    }

    #[test]
    fn numbers_below_n_reach_all_of_them_equally() {
        let mut random = Random::new(&[7]);
        let mut counts = [0; 5];
        (0..5000).for_each(|_| counts[random.below(5)] += 1);
        assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..50).collect();
        Random::new(&[3]).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
