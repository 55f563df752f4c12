"""What runs inside a rank: the only room of the core that knows TensorFlow and Horovod."""
