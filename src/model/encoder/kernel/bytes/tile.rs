//! Sums of products of bytes of a few rows with one panel, in each of the ways that there are.
//!
//! Length: one short loop for each kind of instruction.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::model::encoder::kernel::ByteProducts;

/// Largest number of rows in a tile, and of columns in a panel.
pub(super) const MOST_ROWS: usize = 12;
pub(super) const MOST_COLUMNS: usize = 32;

/// Sums, `[row, column of the panel]`, of which a tile fills the beginning.
pub(super) type Sums = [i32; MOST_ROWS * MOST_COLUMNS];

/// Columns of a panel in the narrow ways, and in the wide one.
const NARROW: usize = 16;
#[cfg(target_arch = "x86_64")]
const WIDE: usize = 32;

/// Writes the sums of `rows` (their number, their bytes, bytes of each) with the columns of `panel`,
/// both packed for this `way`.
#[inline(always)]
pub(super) fn sum_products(
    way: ByteProducts,
    (n, rows, stride): (usize, &[u8], usize),
    panel: &[u8],
    sums: &mut Sums,
) {
    assert!(rows.len() >= n * stride);
    #[cfg(target_arch = "x86_64")]
    macro_rules! of {
        ($tile:ident: $($n:literal)*) => {
            match n {
                $($n => {
                    #[expect(unsafe_code, reason = "instructions that were found to be there")]
                    // SAFETY: `way` is only chosen where the processor has its instructions, and
                    // there are as many rows as the tile reads.
                    unsafe {
                        $tile::<$n>(rows, stride, panel, sums);
                    }
                })*
                _ => unreachable!("no tile has {n} rows"),
            }
        };
    }
    match way {
        ByteProducts::Plain => plain(n, rows, stride, panel, sums),
        #[cfg(target_arch = "x86_64")]
        ByteProducts::Avx2 => of!(avx2: 1 2 3 4 5 6),
        #[cfg(target_arch = "x86_64")]
        ByteProducts::AvxVnni => of!(avx_vnni: 1 2 3 4 5 6),
        #[cfg(target_arch = "x86_64")]
        ByteProducts::Avx512Vnni => of!(avx512_vnni: 1 2 3 4 5 6 7 8 9 10 11 12),
    }
}

/// Groups of four bytes, one by one.
fn plain(n: usize, rows: &[u8], stride: usize, panel: &[u8], sums: &mut Sums) {
    for (row, sums) in rows
        .chunks_exact(stride)
        .take(n)
        .zip(sums.chunks_exact_mut(NARROW))
    {
        sums.fill(0);
        let (groups, _) = row.as_chunks::<4>();
        for (q, columns) in groups.iter().zip(panel.chunks_exact(4 * NARROW)) {
            let (columns, _) = columns.as_chunks::<4>();
            for (sum, w) in sums.iter_mut().zip(columns) {
                for (q, w) in q.iter().zip(w) {
                    *sum += i32::from(*q) * i32::from(w.cast_signed());
                }
            }
        }
    }
}

/// Four bytes at this place, whatever its alignment.
///
/// # Safety
/// They lie inside of an allocation.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "no test of bounds within the innermost loop")]
unsafe fn four_bytes(rows: &[u8], at: usize) -> i32 {
    debug_assert!(at + 4 <= rows.len());
    // SAFETY: the caller's.
    unsafe { rows.as_ptr().add(at).cast::<i32>().read_unaligned() }
}

/// # Safety
/// The processor has AVX-512 with VNNI; `rows` are `R` of `stride` bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "no test of bounds within the innermost loop")]
unsafe fn avx512_vnni<const R: usize>(rows: &[u8], stride: usize, panel: &[u8], sums: &mut Sums) {
    let mut totals = [[_mm512_setzero_si512(); 2]; R];
    for (group, columns) in panel.as_chunks::<{ 4 * WIDE }>().0.iter().enumerate() {
        // SAFETY: a chunk is two registers long; group `g` of a row is its bytes 4g to 4g + 4, and
        // a panel has as many groups as a row.
        unsafe {
            let columns = columns.as_ptr().cast::<__m512i>();
            let columns = [columns.read_unaligned(), columns.add(1).read_unaligned()];
            for (r, totals) in totals.iter_mut().enumerate() {
                let value = _mm512_set1_epi32(four_bytes(rows, r * stride + 4 * group));
                for (total, columns) in totals.iter_mut().zip(columns) {
                    *total = _mm512_dpbusd_epi32(*total, value, columns);
                }
            }
        }
    }
    for (totals, sums) in totals.iter().zip(sums.as_chunks_mut::<WIDE>().0) {
        for (total, sums) in totals.iter().zip(sums.as_chunks_mut::<16>().0) {
            // SAFETY: sixteen sums are one register.
            unsafe { sums.as_mut_ptr().cast::<__m512i>().write_unaligned(*total) };
        }
    }
}

/// # Safety
/// The processor has AVX2 and AVX-VNNI; `rows` are `R` of `stride` bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avxvnni")]
#[expect(unsafe_code, reason = "no test of bounds within the innermost loop")]
unsafe fn avx_vnni<const R: usize>(rows: &[u8], stride: usize, panel: &[u8], sums: &mut Sums) {
    let mut totals = [[_mm256_setzero_si256(); 2]; R];
    for (group, columns) in panel.as_chunks::<{ 4 * NARROW }>().0.iter().enumerate() {
        // SAFETY: as in `avx512_vnni`, with registers half as long.
        unsafe {
            let columns = columns.as_ptr().cast::<__m256i>();
            let columns = [columns.read_unaligned(), columns.add(1).read_unaligned()];
            for (r, totals) in totals.iter_mut().enumerate() {
                let value = _mm256_set1_epi32(four_bytes(rows, r * stride + 4 * group));
                for (total, columns) in totals.iter_mut().zip(columns) {
                    *total = _mm256_dpbusd_avx_epi32(*total, value, columns);
                }
            }
        }
    }
    store(&totals, sums);
}

/// Pairs of 16-bit numbers.
///
/// # Safety
/// The processor has AVX2; `rows` are `R` of `stride` bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "no test of bounds within the innermost loop")]
unsafe fn avx2<const R: usize>(rows: &[u8], stride: usize, panel: &[u8], sums: &mut Sums) {
    let mut totals = [[_mm256_setzero_si256(); 2]; R];
    for (group, columns) in panel.as_chunks::<{ 4 * NARROW }>().0.iter().enumerate() {
        // SAFETY: as in `avx_vnni`; a pair of 16-bit numbers is four bytes too.
        unsafe {
            let columns = columns.as_ptr().cast::<__m256i>();
            let columns = [columns.read_unaligned(), columns.add(1).read_unaligned()];
            for (r, totals) in totals.iter_mut().enumerate() {
                let value = _mm256_set1_epi32(four_bytes(rows, r * stride + 4 * group));
                for (total, columns) in totals.iter_mut().zip(columns) {
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(value, columns));
                }
            }
        }
    }
    store(&totals, sums);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "registers are written as the numbers they hold")]
fn store<const R: usize>(totals: &[[__m256i; 2]; R], sums: &mut Sums) {
    for (totals, sums) in totals.iter().zip(sums.as_chunks_mut::<NARROW>().0) {
        for (total, sums) in totals.iter().zip(sums.as_chunks_mut::<8>().0) {
            // SAFETY: eight sums are one register.
            unsafe { sums.as_mut_ptr().cast::<__m256i>().write_unaligned(*total) };
        }
    }
}
