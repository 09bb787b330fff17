/** Whether no value is NaN or infinite. A plain loop: `every` makes an object of each of a model's hundred thousands of values, at every start. */
export function allFinite(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i += 1) if (!Number.isFinite(data[i])) return false;
  return true;
}
