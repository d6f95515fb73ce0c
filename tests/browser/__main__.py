"""Take the pictures of the real pages that README and docs show: `make pictures`."""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.browser.chromium import launched
from tests.support.browser.servers import serving_command
from tests.support.documentation import ROOT

FOLDER = ROOT / "docs" / "assess" / "pictures"
_CODE = "import sys; from streams.cli import main; sys.exit(main())"
_RV = "rv%7Cintussusception%7Ccumulative"
_YEARS = ("1998VAERSData.zip", "1999VAERSData.zip", "--until", "1999-06-15")
PICTURES = {
    "worklist": (_YEARS, "desk"),
    "signal": (_YEARS, f"desk/signals/{_RV}"),
    "lot": ((), "desk/safety/EX117"),
}
"""Files and days that are replayed, and the address of the page, by name of the picture."""


def main() -> None:
    """Replay the files of each picture, and take it."""
    data = Path(os.environ.get("TOCSIN_DATA", ROOT.parent / "shared" / "data")) / "vaers"
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        for replayed in dict.fromkeys(arguments for arguments, _ in PICTURES.values()):
            given = [str(data / one) if one.endswith(".zip") else one for one in replayed]
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-c", _CODE, "desk", *given, "--folder", folder]
                with serving_command([*command, "--port", "0", "--no-open"], seconds=300) as site:
                    for name, (arguments, address) in PICTURES.items():
                        if arguments == replayed:
                            page = browser.new_page(viewport={"width": 1440, "height": 900})
                            page.goto(f"{site.rstrip('/')}/{address}")
                            page.evaluate("() => document.fonts.ready.then(() => true)")
                            page.screenshot(path=FOLDER / f"{name}.png", caret="hide")
                            print(FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
