"""The networks of photographs of the reports: none of them is trained here."""

from ls_tf.pages.networks import Network

INCEPTION = Network("ImageNet Inception-v4", "inception_v4_imagenet")
# Of the replication; it starts from weights of ImageNet.
WAGNERS = (
    Network("CUB-200-2011 ResNet-34", "resnet34_cub200"),
    Network("Tiny ImageNet ResNet-50", "resnet50_tiny_imagenet"),
)

# For captions; T is fitted on the images that are reported on.
SPLIT = "ImageNet: on the validation images."
