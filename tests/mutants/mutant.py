# What is known of the mutants and of the tests: the files beside this one, and what ctest lists.
# SPDX-License-Identifier: BSL-1.0
import json
import os
import re
import subprocess
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))


class Wrong(Exception):
    """Says what is wrong, where, and what to do about it."""


class Mutant:
    """A change to one source file that breaks one promise, and the test that must notice."""

    def __init__(self, name, place):
        self.name, self.place = name, place
        self.file = self.test = None
        self.targets = []
        self.hangs = False
        self.old, self.new = [], []

    def finish(self):
        if not (self.file and self.test and self.old):
            raise Wrong(f"{self.place}: mutant '{self.name}' needs 'in', 'by' and a line with -")
        self.targets = self.targets or [self.test.split(".")[0]]
        self.old, self.new = "\n".join(self.old), "\n".join(self.new)

    def applied_to(self, text):
        count = text.count(self.old)
        if count != 1:
            raise Wrong(f"{self.place}: mutant '{self.name}': its old text is found {count} times in "
                        f"{self.file}, and must be found once: adapt it to what the code is now")
        return text.replace(self.old, self.new)

    def read(self, root=ROOT):
        with open(os.path.join(root, self.file), encoding="utf-8") as file:
            return file.read()


def read_file(path):
    """The mutants of one file; the format stands at the head of section.mutants."""
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            place = f"{os.path.relpath(path, ROOT)}:{number}"
            word, _, rest = line.partition(" ")
            if not line or line.startswith("#"):
                continue
            if word == "mutant":
                found.append(Mutant(rest, place))
            elif not found:
                raise Wrong(f"{place}: a file begins with 'mutant NAME'")
            elif line[0] == "-":
                found[-1].old.append(line[1:])
            elif line[0] == "+":
                found[-1].new.append(line[1:])
            elif word == "in":
                found[-1].file = rest
            elif word == "by":
                found[-1].test = rest
            elif word == "targets":
                found[-1].targets = rest.split()
            elif line == "hangs":
                found[-1].hangs = True
            else:
                raise Wrong(f"{place}: what is '{word}'?")
    for mutant in found:
        mutant.finish()
    return found


def read_all():
    mutants = []
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".mutants"):
            mutants += read_file(os.path.join(FOLDER, name))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Wrong(f"two mutants have the name '{name}'")
    return mutants


def pattern_of(*tests):
    """For ctest -R, too: a name stands for itself and its instances (Task/Section.PairsNest/bound)."""
    return "^(" + "|".join(test.replace(".", "[.]").replace("+", "[+]") for test in tests) + ")([/. <]|$)"


def list_tests(build):
    """The names of all tests, from a folder of ctest's own: it may be running in the build's."""
    with tempfile.TemporaryDirectory() as scratch:
        with open(os.path.join(scratch, "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
            file.write(f'subdirs("{build}")\n')
        listed = subprocess.run(["ctest", "--show-only=json-v1"], cwd=scratch, check=True,
                                stdout=subprocess.PIPE)
    return [test["name"] for test in json.loads(listed.stdout)["tests"]]
