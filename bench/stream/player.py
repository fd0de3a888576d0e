"""Plays the file of a torrent with libtorrent, through its deadlines, and prints what a
reader would have seen as one line of JSON."""

import json
import os
import sys
import time

import libtorrent as lt

AHEAD = 30.0  # seconds of playing for which pieces have a deadline


class Player:
    def __init__(self, cfg):
        self.cfg = cfg
        alerts = lt.alert.category_t
        self.session = lt.session({
            "listen_interfaces": "%s:%d" % (cfg["ip"], cfg["port"]),
            "outgoing_interfaces": cfg["ip"],
            "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
            "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
            "alert_mask": alerts.status_notification | alerts.error_notification,
        })
        deadline = time.monotonic() + 5
        while self.session.listen_port() != cfg["port"]:
            if time.monotonic() > deadline:
                raise RuntimeError("cannot listen")
            time.sleep(0.005)
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(cfg["torrent"])
        params.save_path = cfg["dir"]
        params.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
        self.info = params.ti
        self.length = self.info.piece_length()
        self.lasts = self.length / cfg["rate"]
        self.began = time.monotonic()
        self.handle = self.session.add_torrent(params)
        for ip, port in cfg["peers"]:
            self.handle.connect_peer((ip, port))
        self.read = set()
        self.asked = {}

    def now(self):
        return time.monotonic() - self.began

    def plan(self, first, playing):
        """Gives deadlines to the pieces that are played soon; playing is a fraction."""
        end = min(self.info.num_pieces(), int(playing + AHEAD / self.lasts) + 1)
        for piece in range(first, end):
            if piece not in self.asked:
                ms = int(max(0, piece - playing) * self.lasts * 1000)
                self.handle.set_piece_deadline(piece, ms, lt.deadline_flags_t.alert_when_available)
                self.asked[piece] = True

    def take(self):
        """Takes the pieces that have come."""
        if self.session.wait_for_alert(5) is None:
            return
        for alert in self.session.pop_alerts():
            if isinstance(alert, lt.read_piece_alert) and alert.error.value() == 0:
                self.read.add(alert.piece)

    def play(self, first, seconds):
        """Plays from a piece on. Returns when the first byte came, when playing began, and
        how long and how often it stalled."""
        cfg, start = self.cfg, self.now()
        byte = begin = None
        stalled, stalls, since = 0.0, 0, None
        following = first  # the first piece that was not read
        while True:
            playing = float(first)
            if begin is not None:
                gone = self.now() - begin - stalled
                if since is not None:
                    gone -= self.now() - since
                playing += gone / self.lasts
                if gone >= seconds or playing >= self.info.num_pieces():
                    break
            self.plan(following, playing)
            self.take()
            while following in self.read:
                following += 1
            if byte is None and following > first:
                byte = self.now() - start
            if begin is None and (following - first) * self.lasts >= cfg["buffer"]:
                begin = self.now()
            if begin is not None:
                if since is None and following < self.info.num_pieces():
                    gone = self.now() - begin - stalled
                    if first + gone / self.lasts > following:
                        since, stalls = self.now(), stalls + 1
                elif since is not None and following > first + (since - begin - stalled) / self.lasts:
                    stalled, since = stalled + self.now() - since, None
            if self.now() > cfg["patience"]:
                raise RuntimeError("too slow: %d pieces, %s" % (len(self.read), self.handle.status().state))
        return {"byte": byte, "start": begin - start, "stalled": stalled, "stalls": stalls}

    def run(self):
        cfg = self.cfg
        result = {"start": self.play(0, cfg["seconds"])}
        far = int(self.info.num_pieces() * cfg["seek"])
        self.handle.clear_piece_deadlines()
        self.asked.clear()
        result["seek"] = self.play(far, cfg["after"])
        s = self.handle.status()
        result["down"] = s.total_payload_download
        result["waste"] = s.total_redundant_bytes + s.total_failed_bytes
        return result


def main():
    player = Player(json.loads(sys.argv[1]))
    print(json.dumps(player.run()), flush=True)
    os._exit(0)  # taking a session down at the end of the interpreter crashes now and then


main()
