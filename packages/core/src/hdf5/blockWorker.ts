import { serveJobs } from "../workers/serve.ts";
import { hdf5Cause } from "./file.ts";
import { type RowBlock, type RowRange, type RowsRequest, openRows } from "./rowBlocks.ts";

serveJobs<RowsRequest, RowRange, RowBlock>(
  (request) => {
    const opened = openRows(request);
    opened.catch(() => {}); // told with the first job
    return async (range) => {
      try {
        return (await opened).read(range);
      } catch (error) {
        throw new Error(hdf5Cause(error), { cause: error });
      }
    };
  },
  ({ values }) => values.map(({ buffer }) => buffer as ArrayBuffer),
);
