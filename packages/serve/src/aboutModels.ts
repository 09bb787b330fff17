import { basename } from "node:path";
import { modalitiesOf } from "@emotion-service/core/anomaly/modelFile";
import { MODALITIES, type Modality } from "@emotion-service/core/model/fusion";
import type { Models } from "@emotion-service/core/predict/models";
import type { About, ModelChoice } from "./protocol.ts";

/** The cards of the models that come along, and the modality that each looks at. */
export const CARDS: Readonly<Record<Modality, string>> = { image: "face_cnn", audio: "audio_cnn" };

/** What clients are told of models: their names, never where they lie. */
export function aboutModels(
  { classifier, detector, encoders }: Models,
  choice: ModelChoice,
): About {
  const comesAlong = choice.multimodal === undefined && choice.isolation === undefined;
  const used = MODALITIES.filter((modality) => classifier?.checkpoint.encoders[modality]);
  const cards = comesAlong ? used.map((modality) => CARDS[modality]) : [];
  const encoder = (modality: Modality) => {
    const info = encoders[modality];
    if (info === undefined) return null;
    return { model: info.model, dim: info.dim, weights_sha256: info.weightsSha256 };
  };
  return {
    classifier:
      classifier === undefined
        ? null
        : {
            name: comesAlong ? cards.join(" + ") : basename(choice.multimodal ?? ""),
            classes: classifier.checkpoint.classes,
            engine: classifier.engine,
            comes_along: comesAlong,
            cards: cards.map((name) => ({ name, url: `/cards/${name}` })),
          },
    detector:
      detector === undefined
        ? null
        : {
            name: basename(choice.isolation ?? ""),
            modalities: modalitiesOf(detector).map(([modality]) => modality),
          },
    encoders: { image: encoder("image"), audio: encoder("audio") },
  };
}
