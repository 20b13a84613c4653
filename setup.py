"""Package metadata and dependencies of ls_tf; they are stated only here."""

import re
from pathlib import Path

from setuptools import find_packages, setup

# The library, the verdict, and tables and figures from records.
_LIGHT = [
    "numpy>=2.0",
    "scipy>=1.13",
    "matplotlib>=3.9",
    "jinja2>=3.1",
    "markupsafe>=2.1",
    "absl-py>=2.1",
    "etils[epath]>=1.9",
]
_SKLEARN = ["scikit-learn>=1.5"]
_PANDAS = ["pandas>=2.2"]
_TEXT = ["sacrebleu>=2.4", "sentencepiece>=0.2"]
# Photographs that are streamed: records, processes, pixels.
_PHOTOGRAPHS = [
    "array-record>=0.8",
    "grain>=0.2.18",
    "opencv-python-headless>=4.10",
    "pillow>=10.0",
    "simplejpeg>=1.8",
    "tensorflow-datasets>=4.9.10",
    # tensorflow-datasets 4.9.10 imports it without declaring it.
    "importlib_resources>=6.0",
]
_TRAINING = [
    "keras>=3.15",
    "tensorboard>=2.20",
    "safetensors>=0.5",
    "h5py>=3.11",
    "tqdm>=4.66",
    *_SKLEARN,
    *_TEXT,
]
_WITH_TENSORFLOW = [*_TRAINING, *_PHOTOGRAPHS]
# With flatbuffers, which TensorFlow has, JAX writes what it has traced.
_WITH_JAX = ["flatbuffers>=24.3", *_TRAINING]
_HF = ["datasets>=3.0", "pillow>=10.0"]
_SLURM = ["submitit>=1.5.2"]
_RAY = ["ray>=2.40"]

_HERE = Path(__file__).parent


def _version() -> str:
    """The version, which stands in the package alone."""
    text = (_HERE / "ls_tf" / "__init__.py").read_text("utf-8")
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


# The site in docs/; its notebooks want an engine too.
_DOCS = [
    "sphinx>=8.1",
    "myst-nb>=1.2",
    "furo>=2024.8",
    "sphinx-copybutton>=0.5",
]

setup(
    name="ls_tf",
    version=_version(),
    description=(
        "Reference implementation of the label-smoothing study 'When Does "
        "Label Smoothing Help?' and of the papers that answered it."
    ),
    long_description=(_HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["ls_tf", "ls_tf.*"]),
    # Said, so that an editable install puts this folder itself on the path.
    # Without, `import ls_tf` beside a clone of the same name finds the clone.
    package_dir={"": "."},
    package_data={
        "ls_tf.pages": ["*.css", "*.html"],
        "ls_tf.reports": ["*.csv"],
    },
    install_requires=_LIGHT,
    extras_require={
        # All that trains and reports, on TensorFlow; on CUDA GPUs.
        "tensorflow": ["tensorflow>=2.21", *_WITH_TENSORFLOW],
        "cuda": ["tensorflow[and-cuda]>=2.21", *_WITH_TENSORFLOW],
        # The same on JAX without TensorFlow, from prepared data: on a CPU, on
        # CUDA GPUs and on Cloud TPUs. gcsfs reaches gs:// there.
        "jax": ["jax>=0.8", *_WITH_JAX],
        "jax-cuda": ["jax[cuda13]>=0.8", *_WITH_JAX],
        "jax-tpu": ["jax[tpu]>=0.8", "gcsfs>=2024.1", *_WITH_JAX],
        # Single functions of the library, and photographs for JAX.
        "sklearn": _SKLEARN,
        "pandas": _PANDAS,
        "text": _TEXT,
        "photographs": _PHOTOGRAPHS,
        # Data sets of Hugging Face.
        "hf": _HF,
        # --launcher=local and slurm, and --launcher=ray.
        "slurm": _SLURM,
        "ray": _RAY,
        "dev": [
            *("tensorflow>=2.21", *_WITH_TENSORFLOW),
            *("jax>=0.8", *_PANDAS),  # the tests run both engines
            *_HF,  # and read sets of Hugging Face
            *(*_SLURM, *_RAY),  # and both launchers
            # 9.2 does not tell pytest-xdist 3.8 which tests belong together.
            "pytest>=9.0,<9.2",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "pypdf>=5.0",  # reads what a browser prints
            "ruff>=0.6",
            "import-linter>=2.6",
            "mypy>=1.11",
            # Tests install the package and build it, without a network.
            "build>=1.2",
            "setuptools>=64",
            "wheel>=0.38",
            *_DOCS,  # a test builds the site
        ],
        "docs": _DOCS,
        # Only tests of the ResNets import it: the network they must equal.
        "torchvision": ["torchvision>=0.19"],
        # Only benchmarks/ imports these: the named peers it compares with.
        "benchmark": [
            "torch>=2.3",
            "pillow>=10.0",
            "transformers>=5.0",
            "ctranslate2>=4.6",
        ],
    },
    entry_points={"console_scripts": ["ls_tf = ls_tf.__main__:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
