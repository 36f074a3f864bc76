"""A Chromium that a test drives: sizes, colours, keys, and axe for what people with other senses need."""

import contextlib
import os
import shutil
import subprocess
import sys

import pages

HERE = os.path.dirname(os.path.abspath(__file__))
BUILT = os.path.join(os.path.dirname(os.path.dirname(HERE)), ".build", "browser")
PACKAGES = os.path.join(BUILT, "packages")
DRIVER = shutil.which("chromedriver")
FACES = [(width, colour) for width in (360, 1440) for colour in ("light", "dark")]


def packages():
    """The tools, pinned, in a folder that is filled once; why not, where that fails."""
    if not DRIVER or not pages.CHROMIUM:
        return "SKIPPED: there is no chromium with its driver here (apt-get install chromium chromium-driver)"
    wanted = os.path.join(HERE, "requirements.txt")
    done = os.path.join(PACKAGES, "requirements.txt")
    with open(wanted, "rb") as file:
        text = file.read()
    if not os.path.exists(done) or open(done, "rb").read() != text:
        shutil.rmtree(PACKAGES, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-input"]
        made = subprocess.run([*command, "--target", PACKAGES, "-r", wanted], capture_output=True, text=True)
        if made.returncode:
            return f"SKIPPED: pip could not install Tests/Browser/requirements.txt: {made.stderr[-300:]}"
        shutil.copy(wanted, done)
    sys.path.insert(0, PACKAGES)
    return None


@contextlib.contextmanager
def driving(url=None, width=1440, colour="light", script=True):
    """A driver with a page, whose window is so wide, in these colours."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = pages.CHROMIUM
    for flag in ("--headless=new", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    if not script:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False})
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": colour}]})
        if url:
            driver.get(url)
        yield driver
    finally:
        driver.quit()


def photograph(driver, name, path=None, height=2400):
    """Keeps the page as a picture, as long as it is up to a height."""
    import base64

    size = driver.execute_script(
        "return [document.documentElement.clientWidth, Math.min(arguments[0], document.documentElement.scrollHeight)]",
        height)
    picture = driver.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}})
    with open(path or os.path.join(BUILT, f"{name}.png"), "wb") as file:
        file.write(base64.b64decode(picture["data"]))


def violations(driver):
    """What axe finds, one line each."""
    with open(os.path.join(PACKAGES, "axe_core_python", "axe.min.js"), encoding="utf-8") as file:
        driver.execute_script(file.read())
    found = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    return [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
            for one in found["violations"]]


def complaints(driver):
    """What the browser's console says."""
    return [entry["message"] for entry in driver.get_log("browser")]
