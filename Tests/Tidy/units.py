"""Checks of the systemd unit: nobody may harden away what Leasehold is for."""

UNIT = "packaging/systemd/leasehold.service"
# Each deletes semaphores, or separates the daemon from its clients, when it is set as guides recommend.
MUST_SAY = ("PrivateIPC=no", "RemoveIPC=no", "DynamicUser=no", "PrivateUsers=no", "ProtectProc=default",
            "ProcSubset=all", "PrivateTmp=no", "PrivateNetwork=no", "User=leasehold")


def the_unit_keeps_semaphores(tree):
    for path, text in tree.matching(UNIT):
        for setting in MUST_SAY:
            name = setting.partition("=")[0] + "="
            said = [line for line in text.splitlines() if line.startswith(name)]
            if said != [setting]:
                yield f"{path}: must say {setting} once, says {said or 'nothing'}"


CHECKS = [the_unit_keeps_semaphores]
