"""Builds the one extension, twat_cache._core_c, or installs the pure core and says so in one line.

TWAT_CACHE_NO_EXTENSIONS=1       the extension is left out
TWAT_CACHE_REQUIRE_EXTENSIONS=1  a build without it fails
TWAT_CACHE_WERROR=1              the C compiler's warnings are errors
"""

import os
import sys
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


def switch(name):
    return os.environ.get(f"TWAT_CACHE_{name}", "") not in ("", "0")


class BuildCore(build_ext):
    def build_extension(self, ext):
        try:
            from Cython.Build import cythonize  # here, so that its absence is a reason like others

            (made,) = cythonize([ext], build_dir=self.build_temp, include_path=["ext"])
            ext.sources = made.sources
            super().build_extension(ext)
        except Exception as error:
            if switch("REQUIRE_EXTENSIONS"):
                raise
            why = " ".join(str(error).split()) or type(error).__name__
            print(f"twat-cache: no compiled core ({why}): installing the pure-Python core instead.")
            if os.path.exists(older := self.get_ext_fullpath(ext.name)):
                os.remove(older)  # an earlier build's, which would be packed as if it were pure
            self.extensions = self.distribution.ext_modules = []
            self.distribution.get_command_obj("bdist_wheel").root_is_pure = True  # py3-none-any


if switch("NO_EXTENSIONS") and switch("REQUIRE_EXTENSIONS"):
    sys.exit("TWAT_CACHE_NO_EXTENSIONS and TWAT_CACHE_REQUIRE_EXTENSIONS are both set: unset one")
unix, msvc = (["-O3", "-g0"], ["-Wall", "-Werror"]), (["/O2"], ["/WX"])
flags, errors = msvc if sys.platform == "win32" else unix
inline = "__forceinline" if sys.platform == "win32" else "inline __attribute__((always_inline))"
core = Extension(
    "twat_cache._core_c",
    sources=["ext/_core_c.pyx"],
    depends=glob("ext/*.*") + glob("ext/policies/*"),  # a change in any means a new build
    include_dirs=["ext"],
    extra_compile_args=flags + errors * switch("WERROR"),
    define_macros=[("CYTHON_INLINE", inline)],  # a hit is one function: 1.3x slower in pieces
)
setup(ext_modules=[] if switch("NO_EXTENSIONS") else [core], cmdclass={"build_ext": BuildCore})
