"""TensorFlow Serving's REST API over the servables of a release."""
