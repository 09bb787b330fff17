/**
 * Reorders f64 `values` [n] so that the k-th smallest, counted from 0, is at place k, none before it is greater and none behind it is
 * smaller (Hoare's quickselect). Pivots are drawn, so that no order of the values makes it slow.
 */
export function select(values: usize, n: i32, k: i32): void {
  let low = 0;
  let high = n - 1;
  let drawn: u32 = 1;
  while (low < high) {
    drawn = drawn * 1664525 + 1013904223; // a linear congruential generator (Numerical Recipes): its high bits are the good ones
    const place = low + <i32>((<u64>drawn * <u64>(high - low + 1)) >> 32);
    const pivot = load<f64>(placeOf(values, place));
    let i = low;
    let j = high;
    while (i <= j) {
      while (load<f64>(placeOf(values, i)) < pivot) i += 1;
      while (load<f64>(placeOf(values, j)) > pivot) j -= 1;
      if (i > j) break;
      const held = load<f64>(placeOf(values, i));
      store<f64>(placeOf(values, i), load<f64>(placeOf(values, j)));
      store<f64>(placeOf(values, j), held);
      i += 1;
      j -= 1;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else return;
  }
}

@inline
function placeOf(values: usize, i: i32): usize {
  return values + (<usize>i << 3);
}
