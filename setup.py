"""Package metadata and dependencies of ls_tf; they are stated only here."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="ls_tf",
    version="0.1.0",
    description=(
        "Reference implementation of the label-smoothing study 'When Does "
        "Label Smoothing Help?' and of the papers that answered it."
    ),
    long_description=Path(__file__).with_name("README.md").read_text("utf-8"),
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
    install_requires=[
        "tensorflow>=2.21",
        "keras>=3.15",
        "tensorflow-datasets>=4.9.10",
        # tensorflow-datasets 4.9.10 imports it without declaring it.
        "importlib_resources>=6.0",
        "absl-py>=2.1",
        "etils[epath]>=1.9",
        "numpy>=2.0",
        "scipy>=1.13",
        "scikit-learn>=1.5",
        "matplotlib>=3.9",
        "jinja2>=3.1",
        "markupsafe>=2.1",
        "tensorboard>=2.20",
        "safetensors>=0.5",
        "h5py>=3.11",
        "sacrebleu>=2.4",
        "sentencepiece>=0.2",
        # Photographs that are streamed: records, processes, pixels.
        "array-record>=0.8",
        "grain>=0.2.18",
        "opencv-python-headless>=4.10",
        "pillow>=10.0",
        "simplejpeg>=1.8",
        "tqdm>=4.66",
    ],
    extras_require={
        "dev": [
            "pytest>=8.0",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "ruff>=0.6",
            "import-linter>=2.6",
            "mypy>=1.11",
            "jax>=0.8",  # the tests run both engines
            "submitit>=1.5.2",  # and both launchers
            "ray>=2.40",
            # A test installs the package, without a network.
            "setuptools>=64",
            "wheel>=0.38",
        ],
        # The JAX engine, on a CPU, on CUDA GPUs and on Cloud TPUs. gcsfs
        # reaches gs:// on a machine without TensorFlow.
        "jax": ["jax>=0.8"],
        # TensorFlow on CUDA GPUs: the libraries beside the driver.
        "cuda": ["tensorflow[and-cuda]>=2.21"],
        "jax-cuda": ["jax[cuda13]>=0.8"],
        "jax-tpu": ["jax[tpu]>=0.8", "gcsfs>=2024.1"],
        # Only tests of the ResNets import it: the network they must equal.
        "torchvision": ["torchvision>=0.19"],
        # --launcher=local and slurm, and --launcher=ray.
        "slurm": ["submitit>=1.5.2"],
        "ray": ["ray>=2.40"],
        # Only benchmarks/ imports these: the named peers it compares with.
        "benchmark": ["torch>=2.3", "pillow>=10.0", "transformers>=5.0"],
    },
    entry_points={"console_scripts": ["ls_tf = ls_tf.cli:run"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
