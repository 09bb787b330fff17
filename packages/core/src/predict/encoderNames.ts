/** What --image_encoder and --audio_encoder may say; "none": inputs are taken for such without that modality. */
export const IMAGE_ENCODERS = ["face", "face_cnn", "resnet18", "onnx", "none"] as const;
export const AUDIO_ENCODERS = ["audio_stats", "audio_cnn", "none"] as const;
