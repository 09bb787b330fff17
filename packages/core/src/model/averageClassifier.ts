import { EMOTIONS } from "../labels.ts";
import type { Classifier } from "../onnx/loadClassifier.ts";
import { MODALITIES } from "./fusion.ts";

/**
 * Classifiers of one modality each as one: the mean of what those tell whose modality is there. An emotion that one of them does not
 * know has no probability from it.
 */
export function averageClassifiers(classifiers: readonly Classifier[]): Classifier {
  const known = new Set(classifiers.flatMap(({ checkpoint }) => checkpoint.classes));
  const classes: readonly string[] = EMOTIONS.filter((emotion) => known.has(emotion));
  const encoders = Object.assign({}, ...classifiers.map(({ checkpoint }) => checkpoint.encoders));
  return {
    checkpoint: { classes, encoders, matchBy: "" },
    engine: classifiers.map(({ engine }) => engine).join(" and "),
    classify: async ({ rows, parts }) => {
      const sums = new Float32Array(rows * classes.length);
      const counts = new Float32Array(rows);
      for (const classifier of classifiers) {
        const { checkpoint } = classifier;
        const modality = MODALITIES.find((name) => checkpoint.encoders[name] !== undefined);
        const present = modality && parts[modality]?.present;
        if (present === undefined) continue;
        const places = checkpoint.classes.map((name) => classes.indexOf(name));
        const told = await classifier.classify({ rows, parts }); // [rows, its classes]
        for (let row = 0; row < rows; row += 1) {
          if (present[row] !== 1) continue;
          counts[row]! += 1;
          for (const [k, place] of places.entries())
            sums[row * classes.length + place]! += told[row * places.length + k] ?? 0;
        }
      }
      return sums.map((sum, i) => sum / (counts[Math.floor(i / classes.length)] || 1));
    },
    dispose: async () => {
      for (const classifier of classifiers) await classifier.dispose();
    },
  };
}
