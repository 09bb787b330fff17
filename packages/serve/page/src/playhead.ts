/** The one place in time that a player and all drawings over time share. */
export interface Playhead {
  /** Seconds. */
  now(): number;
  seek(seconds: number): void;
  toggle(): void;
  /** Told whenever the place moves, and now. */
  follow(listener: (seconds: number) => void): void;
}

/**
 * Follows a player. A file that the browser cannot play, though the server can read it, still has a place to move.
 * @param seconds of the whole, as the server measured them: a recording does not know its own
 */
export function createPlayhead(player: HTMLMediaElement, seconds: number): Playhead {
  const listeners: ((seconds: number) => void)[] = [];
  let place = 0;
  const move = (to: number): void => {
    place = Math.min(seconds, Math.max(0, to));
    for (const listener of listeners) listener(place);
  };
  const isPlayable = (): boolean => player.error === null && player.readyState > 0;
  const tick = (): void => {
    if (!player.isConnected || player.paused) return;
    move(player.currentTime);
    requestAnimationFrame(tick); // timeupdate comes four times a second: the line would jump
  };
  player.addEventListener("play", tick);
  for (const event of ["timeupdate", "seeking", "seeked"])
    player.addEventListener(event, () => move(player.currentTime));
  return {
    now: () => place,
    seek: (to) => {
      move(to);
      if (isPlayable()) player.currentTime = place;
    },
    toggle: () => {
      if (!isPlayable()) return;
      if (player.paused) void player.play();
      else player.pause();
    },
    follow: (listener) => {
      listeners.push(listener);
      listener(place);
    },
  };
}
