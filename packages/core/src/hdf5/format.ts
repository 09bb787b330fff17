/** The version of our HDF5 layouts; raised when a reader must know of a change. */
export const FORMAT_VERSION = 1;
/** Who wrote a file; no clock and no host, so that the same command writes the same bytes. */
export const CREATED_BY = "emotion-service 0.1.0";
